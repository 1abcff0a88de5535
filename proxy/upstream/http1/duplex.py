"""A connection that has gone over to another protocol (RFC 9110 §7.8): bytes both ways, each with back-pressure."""

import asyncio
from collections.abc import Callable

HIGH_WATER = 256 * 1024


class Duplex(asyncio.Protocol):
    """Reads and writes bytes. `lost` is called once, when the connection is gone."""

    def __init__(self, transport: asyncio.Transport, rest: bytes, lost: Callable[[], None]) -> None:
        self._transport = transport
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(rest)
        self._over = self._paused = False
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        transport.set_protocol(self)

    def when_lost(self, work: Callable[[], None]) -> None:
        """Do something more when the connection is gone."""
        if self._over:
            work()
            return
        lost = self._lost

        def both() -> None:
            lost()
            work()

        self._lost = both

    async def read(self) -> bytes:
        """What has come, as soon as there is something; empty when there will be no more. For one reader."""
        while not self._buffer and not self._over:
            self._readable = self._loop.create_future()
            await self._readable
        data = bytes(self._buffer)
        self._buffer.clear()
        if self._paused and not self._over:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Write, then wait until the transport wants more. Raises `ConnectionError`."""
        if self._over:
            raise ConnectionResetError("the connection is closed")
        self._transport.write(data)
        while (writable := self._writable) is not None:
            await asyncio.shield(writable)

    def close(self) -> None:
        """Close at once."""
        self._transport.abort()

    # Of the transport.

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._over = True
        self.resume_writing()
        self._wake()
        self._lost()

    def _wake(self) -> None:
        readable, self._readable = self._readable, None
        if readable is not None and not readable.done():
            readable.set_result(None)
