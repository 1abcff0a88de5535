"""How the admin listener answers."""

from typing import Any

from aiohttp import web

from proxy.document import encode_json
from proxy.errors import PROBLEM_TYPE, reason


def as_json(value: Any, status: int = 200, content_type: str = "application/json") -> web.Response:
    """An answer in JSON."""
    return web.Response(body=encode_json(value) + b"\n", status=status, content_type=content_type)


def as_problem(status: int, detail: str) -> web.Response:
    """An answer that says what is wrong (RFC 9457)."""
    problem = {"type": "about:blank", "title": reason(status), "status": status, "detail": detail}
    return as_json(problem, status, PROBLEM_TYPE)
