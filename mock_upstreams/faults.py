"""Faults on request: delay, status, drop, invalid JSON, drip.

One request names its own in a header, `X-Fault: delay=200ms, status=503`; `POST /_faults` sets one for the requests
that follow, `{"delay_ms": 200, "path": "/products", "times": 2}`; `DELETE /_faults` clears them.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Any

from aiohttp import web

from mock_upstreams.stats import is_own

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MS = re.compile(r"(\d{1,6})ms")


@dataclass(slots=True)
class Fault:
    """What goes wrong. `times` None is for good; `path` None is everywhere."""

    delay_ms: int = 0
    status: int | None = None
    drop: bool = False
    invalid_json: bool = False
    drip_ms: int = 0
    path: str | None = None
    times: int | None = None


class BadFault(ValueError):
    """A fault that cannot be read; the text says why."""


class Faults:
    """The faults that are set for requests to come."""

    def __init__(self) -> None:
        self._set: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._set.append(fault)

    def clear(self) -> None:
        self._set.clear()

    def take(self, path: str) -> Fault | None:
        """The first fault for a path, used up once."""
        for fault in self._set:
            if path == fault.path or (fault.path is None and not is_own(path)):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._set.remove(fault)
                return fault
        return None


FAULTS = web.AppKey("faults", Faults)


def add_faults(app: web.Application) -> None:
    app[FAULTS] = Faults()
    app.middlewares.append(_apply)
    app.router.add_post("/_faults", set_fault)
    app.router.add_delete("/_faults", clear_faults)


def parse_header(text: str) -> Fault:
    """`delay=200ms, status=503`. Raises `BadFault`."""
    given: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name in ("delay", "drip") and (found := _MS.fullmatch(value)):
            given[f"{name}_ms"] = int(found[1])
        elif name == "status" and re.fullmatch(r"[0-9]{1,6}", value):
            given["status"] = int(value)
        elif name in ("drop", "invalid-json") and not value:
            given[name.replace("-", "_")] = True
        else:
            raise BadFault(f"{part.strip()!r} is not a fault: delay=200ms, drip=50ms, status=503, drop, invalid-json")
    return parse_document(given)


def parse_document(document: object) -> Fault:
    """A fault from a JSON object. Raises `BadFault`."""
    if not isinstance(document, dict):
        raise BadFault("a fault is a JSON object")
    known = {field.name for field in fields(Fault)}
    for name, value in document.items():
        if name not in known:
            raise BadFault(f"unknown key {name!r}; known are {', '.join(sorted(known))}")
        wanted: type = str if name == "path" else bool if name in ("drop", "invalid_json") else int
        if type(value) is not wanted:
            raise BadFault(f"{name} is a {wanted.__name__}, not {value!r}")
    fault = Fault(**document)
    if fault.status is not None and not 200 <= fault.status <= 599:
        raise BadFault(f"status {fault.status} is not one")
    if fault.times is not None and fault.times < 1:
        raise BadFault("times is 1 or more")
    return fault


@web.middleware
async def _apply(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        header = request.headers.get("X-Fault")
        fault = parse_header(header) if header is not None else request.app[FAULTS].take(request.path)
    except BadFault as error:
        return web.json_response({"error": str(error)}, status=400)
    if fault is None:
        return await handler(request)
    await asyncio.sleep(fault.delay_ms / 1000)
    if fault.drop:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    if fault.status is not None:
        return web.json_response({"error": "a fault was asked for"}, status=fault.status)
    if fault.invalid_json:
        return web.Response(text='{"broken": ', content_type="application/json")
    response = await handler(request)
    return await _drip(request, response, fault.drip_ms) if fault.drip_ms and request.method != "HEAD" else response


async def _drip(request: web.Request, whole: web.StreamResponse, pause_ms: int) -> web.StreamResponse:
    """The same answer, a few bytes at a time."""
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
    dripping = web.StreamResponse(status=whole.status, headers={"Content-Type": "application/json"})
    await dripping.prepare(request)
    with contextlib.suppress(ConnectionError):  # a client that lost its patience
        for start in range(0, len(body), 16):
            await dripping.write(body[start : start + 16])
            await asyncio.sleep(pause_ms / 1000)
        await dripping.write_eof()
    return dripping


async def set_fault(request: web.Request) -> web.Response:
    try:
        request.app[FAULTS].add(parse_document(await request.json()))
    except BadFault as error:
        return web.json_response({"error": str(error)}, status=400)
    except ValueError:
        return web.json_response({"error": "the body is not JSON"}, status=400)
    return web.Response(status=204)


async def clear_faults(request: web.Request) -> web.Response:
    request.app[FAULTS].clear()
    return web.Response(status=204)
