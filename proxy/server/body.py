"""The body of a client's request, out of aiohttp: read whole, or piece by piece as it comes."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from aiohttp.web_request import BaseRequest

from proxy.errors import BadRequest, BodyTooLarge, ExpectationFailed, RequestTimeout
from proxy.message import BodyStream

# A body of at most so many bytes is read before anything is sent on: it goes out in one piece, and a client that sends
# slowly holds no connection to an upstream.
SMALL = 64 * 1024


class BrokenBody(BadRequest):
    """Where the next request would begin, nobody knows."""

    close = True


class ClientBody:
    """Read once, by one of the two ways; after `read` it can be had again."""

    __slots__ = ("_base", "_seconds", "_stream", "_whole")

    def __init__(self, base: BaseRequest, seconds: Callable[[], float]) -> None:
        self._base = base
        self._seconds = seconds
        self._whole: bytes | None = None
        self._stream: _ClientStream | None = None

    async def read(self, limit: int) -> bytes:
        """All of it. Raises a `GatewayError` for one that is over the limit, broken or too slow."""
        if self._whole is None:
            self._check_length(limit)
            _continue(self._base)
            self._whole = await self._read(limit)
        return self._whole

    async def open(self, limit: int) -> bytes | BodyStream:
        """A stream of a large one and of one whose length is not known; else all of it."""
        base = self._base
        if self._whole is not None or not base.body_exists:
            return self._whole or b""
        declared = base.content_length
        if declared is not None and declared <= SMALL:
            return await self.read(limit)
        self._check_length(limit)
        _check_expectation(base)
        if base.content.is_eof() and base.content.total_bytes > limit:
            raise BodyTooLarge(f"the body is over {limit} bytes")
        self._stream = _ClientStream(base, limit, self._seconds())
        return self._stream

    async def settle(self) -> None:
        """Wait until nobody reads any more: aiohttp does not let two, and wants to see what is left itself."""
        if self._stream is not None and (reading := self._stream.reading) is not None:
            await asyncio.wait([reading])  # a reader that was cancelled leaves in the loop's next turn

    def _check_length(self, limit: int) -> None:
        declared = self._base.content_length
        if declared is not None and declared > limit:
            raise BodyTooLarge(f"the body has {declared} bytes; at most {limit} are taken")

    async def _read(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._seconds()):
                while chunk := await self._base.content.readany():
                    size += len(chunk)
                    if size > limit:
                        raise BodyTooLarge(f"the body is over {limit} bytes")
                    chunks.append(chunk)
        except TimeoutError:
            raise RequestTimeout("the body did not arrive in time") from None
        except web.RequestPayloadError:
            raise BrokenBody("the body's framing is broken") from None
        return b"".join(chunks)


class _ClientStream(BodyStream):
    """A body as it comes. The client waits while nobody reads; it may pause for `seconds` while somebody does."""

    __slots__ = ("_base", "_left", "_limit", "_seconds", "_started", "length", "reading")

    def __init__(self, base: BaseRequest, limit: int, seconds: float) -> None:
        self.length = base.content_length
        self.reading: asyncio.Future[None] | None = None
        self._base = base
        self._limit = self._left = limit
        self._seconds = seconds
        self._started = False

    async def read(self) -> bytes:
        if not self._started:
            self._started = True
            _continue(self._base)
        self.reading = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._seconds):
                piece = await self._base.content.readany()
        except TimeoutError:
            raise RequestTimeout("the body did not arrive in time") from None
        except web.RequestPayloadError:
            raise BrokenBody("the body's framing is broken") from None
        finally:
            self.reading.set_result(None)
            self.reading = None
        self._left -= len(piece)
        if self._left < 0:
            raise BodyTooLarge(f"the body is over {self._limit} bytes")
        return piece


def _check_expectation(base: BaseRequest) -> None:
    if base.headers.get("Expect", "100-continue").lower() != "100-continue":
        raise ExpectationFailed("only 100-continue can be expected")


def _continue(base: BaseRequest) -> None:
    """Ask a waiting client for its body (RFC 9110 §10.1.1): only now is it known to be wanted."""
    if "Expect" not in base.headers:
        return
    _check_expectation(base)
    if base.version >= (1, 1) and base.transport is not None and not base.content.is_eof():
        base.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
