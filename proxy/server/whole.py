"""Writes an answer that is all here: head and body in one write. (aiohttp's way to the same bytes costs twice as much.)

It stands where aiohttp expects a response; what it uses of one is `prepare`, `write_eof` and `keep_alive`.
"""

from http import HTTPStatus

from aiohttp import web
from aiohttp.web_request import BaseRequest
from multidict import CIMultiDict

from proxy.clock import http_date
from proxy.server.stalling import Watch

_REASONS = {status.value: status.phrase for status in HTTPStatus}
# A body from this size on is not copied behind its head.
_LARGE = 64 * 1024


class WholeAnswer(web.StreamResponse):
    """One answer. `length` is declared in place of the body's own, for HEAD.

    A client that takes nothing of it for `stall_s` is cut off.
    """

    __slots__ = ("_close", "_fields", "_keeps", "_length", "_stall_s", "_status_code", "_whole")
    _eof_sent = True  # nothing is left to do for whoever looks

    def __init__(
        self,
        status: int,
        headers: CIMultiDict[str],
        body: bytes,
        *,
        length: int | None,
        close: bool,
        stall_s: float = 60.0,
    ) -> None:
        # Not aiohttp's own: it makes a state that only its way of writing needs.
        self._status_code = status
        self._fields = headers
        self._whole = body
        self._length = length
        self._close = close
        self._stall_s = stall_s
        self._keeps = False

    @property
    def status(self) -> int:
        return self._status_code

    @property
    def keep_alive(self) -> bool | None:
        return self._keeps

    async def prepare(self, request: BaseRequest) -> None:
        """Write all of it. Raises `ConnectionResetError` if the client has gone."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._keeps = request.keep_alive and not self._close
        head = self._head(is_old=request.version < (1, 1))
        body = b"" if request.method == "HEAD" or not _has_body(self._status_code) else self._whole
        if len(body) < _LARGE:
            transport.write(head + body)
        else:
            # Not writelines: before 3.12.9 and 3.13.2 asyncio's knows no back-pressure (CVE-2024-12254).
            transport.write(head)
            transport.write(body)
        if request.protocol.writing_paused:
            watch = Watch(transport, self._stall_s)
            try:
                await request.protocol._drain_helper()
            finally:
                watch.stop()

    async def write_eof(self, data: bytes = b"") -> None:
        """Everything is written."""

    def _head(self, *, is_old: bool) -> bytes:
        # To a client of HTTP/1.0 too, a server says the highest version that it speaks (RFC 9110 §2.5).
        status = self._status_code
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}"]
        lines += [f"{name}: {value}" for name, value in self._fields.items()]
        if _has_body(status):
            lines.append(f"Content-Length: {len(self._whole) if self._length is None else self._length}")
        if "Date" not in self._fields:  # an upstream's says when the answer was made (RFC 9110 §6.6.1)
            lines.append(f"Date: {http_date()}")
        if not self._keeps:
            lines.append("Connection: close")
        elif is_old:  # which it would not mean by itself (RFC 9112 §9.3)
            lines.append("Connection: keep-alive")
        head = "\n".join(lines)
        if head.count("\n") != len(lines) - 1 or "\r" in head or "\0" in head:
            raise ValueError("a header would have broken the answer's framing")
        return head.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n\r\n"


def _has_body(status: int) -> bool:
    """Whether an answer with this status can have a body (RFC 9110 §6.4.1)."""
    return status >= 200 and status not in (204, 304)
