"""A connection that has gone over to another protocol (RFC 9110 §7.8), until somebody takes it."""

import asyncio
from collections.abc import Callable

HIGH_WATER = 256 * 1024


class Duplex(asyncio.Protocol):
    """Keeps what comes, within bounds. Who takes the connection says when it is over; `lost` is then called, once."""

    def __init__(self, transport: asyncio.Transport, rest: bytes, lost: Callable[[], None]) -> None:
        self._transport = transport
        self._lost = lost
        self._buffer = bytearray(rest)
        self._paused = self._taken = self._over = False
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

    def take(self, protocol: asyncio.Protocol) -> tuple[asyncio.Transport, bytes]:
        """The transport, whose protocol is now another, and what has come so far.

        A connection that is lost already tells so as any other does, later.
        """
        self._taken = True
        self._transport.set_protocol(protocol)
        if self._over:
            asyncio.get_running_loop().call_soon(protocol.connection_lost, None)
        elif self._paused:
            self._transport.resume_reading()
        return self._transport, bytes(self._buffer)

    def over(self) -> None:
        """The connection is lost."""
        if not self._over:
            self._over = True
            self._lost()

    def close(self) -> None:
        """Close at once, if nobody has taken it."""
        if not self._taken:
            self._transport.abort()

    # Of the transport.

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.over()
