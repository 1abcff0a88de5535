"""Clients that take nothing: a connection is broken off when what was written for it does not get less."""

import asyncio
import socket
import struct
from collections.abc import Callable


class Watch:
    """Breaks a connection off whose client takes nothing for so long: it would hold memory, or an upstream, for ever.

    It runs from being made to `stop`. `stalled` is called before the connection is reset.
    """

    def __init__(
        self, transport: asyncio.Transport, seconds: float, stalled: Callable[[], None] = lambda: None
    ) -> None:
        self._transport = transport
        self._seconds = seconds
        self._stalled = stalled
        self._left = transport.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        before, self._left = self._left, self._transport.get_write_buffer_size()
        if self._left < before:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._look)
        else:
            self._stalled()
            break_off(self._transport, reset=True)


def break_off(transport: asyncio.Transport | None, *, reset: bool) -> None:
    """End a connection in the midst of an answer: behind what was written, or at once and with a reset."""
    if transport is None:
        return
    if not reset:
        transport.close()  # what came before is still delivered
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
