"""One JSON line per request, with the time of each of its calls.

Query strings and headers are not written: that is where tokens are. JSON's own escaping keeps a client's bytes from
forging a line.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from msgspec import Struct
from msgspec.json import Encoder

from proxy.clock import timestamp
from proxy.events import Event, RequestFinished

_MAX_PATH = 2048
_encode = Encoder().encode


class _Call(Struct, omit_defaults=True):
    call: str
    status: int
    ms: float
    error: str | None = None
    requests: int = 1


class _Line(Struct, omit_defaults=True):
    time: str
    request_id: str
    method: str
    path: str
    status: int
    ms: float
    bytes: int
    client_ip: str
    route: str | None
    generation: int
    error: str | None = None
    partial: tuple[str, ...] = ()
    received: int = 0
    calls: list[_Call] = []


def access_line(event: RequestFinished) -> bytes:
    """The line of one request, without its end."""
    request, response = event.request, event.response
    return _encode(
        _Line(
            timestamp(),
            request.id,
            request.method,
            _path(request.path or request.raw_target.partition("?")[0]),
            response.status,
            int(event.seconds * 1e6) / 1e3,
            response.size,
            request.client_ip,
            request.route,
            event.generation,
            response.error,
            response.partial,
            response.received,
            [_Call(call.name, call.status, call.ms, call.error, call.requests) for call in request.calls],
        )
    )


def _path(path: str) -> str:
    """A path as it can be written: not too long, and what is no UTF-8 replaced."""
    return path if len(path) <= _MAX_PATH and path.isascii() else path[:_MAX_PATH].encode("utf-8", "replace").decode()


def access_log(stream: BinaryIO) -> Callable[[Event], None]:
    """An observer that writes a line per request to a binary stream, once per turn of the event loop."""
    lines: list[bytes] = []

    def flush() -> None:
        text = b"\n".join(lines) + b"\n"
        lines.clear()
        # An observer must not raise: a reader of the log that went away takes no answer with it.
        with suppress(OSError):
            stream.write(text)
            stream.flush()

    def observe(event: Event) -> None:
        if type(event) is RequestFinished:
            lines.append(access_line(event))
            if len(lines) == 1:
                asyncio.get_running_loop().call_soon(flush)

    return observe
