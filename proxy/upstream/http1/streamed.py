"""An answer that is taken piece by piece: `Streamed` is told of it by the connection and read by whoever asked.

What has come and not been read is bounded: over `HIGH_WATER` the upstream waits, until half of it has been taken.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from proxy.errors import GatewayError
from proxy.message import Fields
from proxy.upstream.exchange import Head, RawHeaders, StreamedResponse, UpstreamRequest
from proxy.upstream.http1.connection import Connection
from proxy.upstream.http1.duplex import Duplex
from proxy.upstream.http1.upload import Upload

HIGH_WATER = 256 * 1024
_LOW_WATER = HIGH_WATER // 2
_JOINED = 64 * 1024


class Streamed(StreamedResponse):
    """The answer to one request on one connection. `begun` waits for it."""

    __slots__ = (
        "_begun",
        "_chunks",
        "_connection",
        "_duplex",
        "_ended",
        "_error",
        "_loop",
        "_over",
        "_size",
        "_upload",
        "_waiter",
        "informed",
        "is_head",
        "raw_trailers",
        "switched",
    )

    def __init__(self, connection: Connection, request: UpstreamRequest) -> None:
        super().__init__(Head(0, []))
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[None] = self._loop.create_future()
        self.is_head = request.method == "HEAD"
        self.length = None
        self.raw_trailers: RawHeaders = []
        self.informed = request.inform
        self.switched: Callable[[asyncio.Transport, bytes, Callable[[], None]], None] | None = (
            self._switched if request.upgrade else None
        )
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._upload: Upload | None = None
        self._duplex: Duplex | None = None
        self._over: Callable[[], None] | None = None

    def __repr__(self) -> str:
        state = "failed" if self._error is not None else "ended" if self._ended else "open"
        return f"<Streamed {self.status}, {state}, {self._size} bytes waiting>"

    def send(self, head: bytes, request: UpstreamRequest) -> None:
        """Put the request on the wire, or its head, with its body to follow."""
        body = request.stream
        limits = None if request.limits is None else (request.limits.first_byte_s, request.limits.idle_s)
        self._connection.send(head, self, more=body is not None, limits=limits)
        if body is not None:
            self._upload = Upload(self._connection, body, request.sent, self._not_sent)
        elif request.sent is not None:
            request.sent()

    # Of whoever asked.

    def when_over(self, work: Callable[[], None]) -> None:
        """Do something once, when nothing more of this exchange is to come; now, if it is over."""
        if self._duplex is not None:
            self._duplex.when_lost(work)
        elif self._ended:
            work()
        else:
            self._over = work

    @property
    def duplex(self) -> Duplex | None:
        """The connection itself, after 101."""
        return self._duplex

    @property
    def whole(self) -> bytes | None:
        if not self._ended or self._error is not None or self.raw_trailers:
            return None
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    @property
    def trailers(self) -> Fields:
        return [(name.decode("ascii"), value.decode("utf-8", "surrogateescape")) for name, value in self.raw_trailers]

    @property
    def still_sends(self) -> bool:
        """Whether the request's body is not all sent, though the answer has begun."""
        return self._upload is not None and not self._upload.done

    async def read(self) -> bytes:
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._waiter = self._loop.create_future()
            await self._waiter
        if self._size <= _JOINED and len(self._chunks) > 1:
            piece = b"".join(self._chunks)  # many small chunks are one write
            self._chunks.clear()
        else:
            piece = self._chunks.popleft()
        self._size -= len(piece)
        if self._size <= _LOW_WATER and not self._ended:
            self._connection.resume()
        return piece

    def close(self) -> None:
        self._stop_upload()
        if self._duplex is not None:
            self._duplex.close()
        if not self._ended:
            self._ended = True
            # Not an end that anybody could take for that of the answer.
            self._error = GatewayError("something went wrong here", internal="an answer was read after it was closed")
            self._chunks.clear()
            self._connection.cancel(self)
            self._tell_over()
            self._wake()

    # Of the connection.

    def headed(self, head: Head, length: int) -> None:
        self.head, status = head, head.status
        if length >= 0:
            self.length = length
        # What the upstream refuses it need not be sent (RFC 9112 §9.5). One that answers well may still be reading.
        if status >= 300:
            self._stop_upload()
        if status != 101 and not self._begun.done():
            self._begun.set_result(None)

    def received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER:
            self._connection.pause()
        self._wake()

    def ended(self) -> None:
        self._ended = True
        self._tell_over()
        self._stop_upload()
        self._wake()

    def arrived(self, head: Head, body: bytes) -> None:
        self.headed(head, len(body))
        if body:
            self._chunks.append(body)
            self._size = len(body)
        self.ended()

    def failed(self, error: Exception) -> None:
        self._error = error
        self._ended = True
        self._tell_over()
        self._stop_upload()
        if not self._begun.done():
            self._begun.set_result(None)
        self._wake()

    def _switched(self, transport: asyncio.Transport, rest: bytes, lost: Callable[[], None]) -> None:
        self._ended = True
        self._stop_upload()
        self._duplex = Duplex(transport, rest, lost)
        self.informed = None  # it leads to the client's request, and this may live for long
        if not self._begun.done():
            self._begun.set_result(None)

    # Of itself.

    async def begun(self) -> "Streamed":
        """Wait for the head. Raises why there is none; cancelling it closes the connection."""
        try:
            await self._begun
        except asyncio.CancelledError:
            self.close()
            raise
        if self._error is not None:
            raise self._error  # also if it broke off at once: the client has heard of nothing yet
        return self

    def _not_sent(self, error: Exception) -> None:
        """The request's body broke off: there is no use in waiting for an answer to half of it."""
        if not self._ended:
            self._connection.cancel(self)
            self.failed(error)

    def _stop_upload(self) -> None:
        if self._upload is not None and not self._upload.done:
            self._upload.stop()

    def _tell_over(self) -> None:
        if self._over is not None:
            over, self._over = self._over, None
            over()

    def _wake(self) -> None:
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._waiter = None
