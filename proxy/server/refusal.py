"""The answer to a connection for which there is no room."""

import asyncio
from typing import cast

from proxy.document import encode_json
from proxy.errors import PROBLEM_TYPE, TooManyConnections, to_problem

# How long the client may go on sending before it is cut off: closing at once would be a reset, which can take the
# answer away before it was read (RFC 9112 §9.6).
_LINGER_S = 1.0


def _make_answer() -> bytes:
    error = TooManyConnections("there are too many connections; try again later")
    problem = to_problem(error, route=None, request_id="")
    del problem["request_id"]  # no request was read
    body = encode_json(problem)
    head = (
        f"HTTP/1.1 {error.status} Service Unavailable\r\nContent-Type: {PROBLEM_TYPE}\r\nCache-Control: no-store\r\n"
        f"Retry-After: 1\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


_ANSWER = _make_answer()


class Refusal(asyncio.Protocol):
    """Takes a connection over: says 503, reads nothing of what is sent, and ends soon."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._transport.set_protocol(self)
        self._timer = asyncio.get_running_loop().call_later(_LINGER_S, self._transport.abort)
        self._transport.write(_ANSWER)
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """Nobody reads it."""

    def eof_received(self) -> bool:
        return False  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
