"""The data files and the answers made of them."""

import json
from importlib.resources import files
from typing import Any

from aiohttp import web

Row = dict[str, Any]


def load_rows(name: str) -> list[Row]:
    """The rows of `data/<name>.json`."""
    rows: list[Row] = json.loads((files("mock_upstreams") / "data" / f"{name}.json").read_text("utf-8"))
    return rows


def answer(value: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.json_response(value, status=status)


def not_found(what: str) -> web.Response:
    return answer({"error": f"no such {what}"}, 404)
