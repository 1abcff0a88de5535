"""One JSON line per request, with the time of each of its calls.

Query strings and headers are not written: that is where tokens are. JSON's own escaping keeps a client's bytes from
forging a line.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

import msgspec

from proxy.clock import timestamp
from proxy.events import Event, RequestFinished

_encode = msgspec.json.Encoder().encode


def access_line(event: RequestFinished) -> bytes:
    """The line of one request, ending in a newline."""
    request, response = event.request, event.response
    line: dict[str, object] = {
        "time": timestamp(),
        "request_id": request.id,
        "method": request.method,
        "path": (request.path or request.raw_target.partition("?")[0])[:2048].encode("utf-8", "replace").decode(),
        "status": response.status,
        "ms": round(event.seconds * 1000, 3),
        "bytes": response.size,
        "client_ip": request.client_ip,
        "route": request.route,
        "generation": event.generation,
    }
    if response.error is not None:
        line["error"] = response.error
    if response.partial:
        line["partial"] = response.partial
    if request.calls:
        line["calls"] = [
            {"call": call.name, "status": call.status, "ms": call.ms}
            | ({} if call.error is None else {"error": call.error})
            | ({} if call.requests == 1 else {"requests": call.requests})
            for call in request.calls
        ]
    return _encode(line) + b"\n"


def access_log(stream: BinaryIO) -> Callable[[Event], None]:
    """An observer that writes a line per request to a binary stream, flushed once per turn of the event loop."""
    flushing = False

    def flush() -> None:
        nonlocal flushing
        flushing = False
        # An observer must not raise: a reader of the log that went away takes no answer with it.
        with suppress(OSError):
            stream.flush()

    def observe(event: Event) -> None:
        nonlocal flushing
        if not isinstance(event, RequestFinished):
            return
        with suppress(OSError):
            stream.write(access_line(event))
        if not flushing:
            flushing = True
            asyncio.get_running_loop().call_soon(flush)

    return observe
