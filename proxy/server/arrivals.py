"""Connections that begin with a PROXY header: accepted, asked whose they are, and only then handed on.

The header stands before everything, also before TLS, so it is read from the socket itself, and nothing else is.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from proxy.clock import monotonic
from proxy.server.proxyprotocol import BadHeader, HeaderReader, Origin

_LOG = logging.getLogger("proxy.server")
_SAY_EVERY_S = 5.0
_AT_ONCE = 100

Make = Callable[[Origin], asyncio.Protocol]


class Arrivals:
    """Accepts on one listening socket. `make` gives the protocol of a connection, `is_trusted` who may say whose it is.

    `header_s` is how long a header may take, and a handshake after it.
    """

    def __init__(
        self,
        listening: socket.socket,
        make: Make,
        *,
        is_trusted: Callable[[str], bool],
        header_s: Callable[[], float],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._make = make
        self._is_trusted = is_trusted
        self._header_s = header_s
        self._tls = tls
        self._waiting: set[_Arrival] = set()
        self._handing: set[asyncio.Task[None]] = set()
        self._said_at = 0.0
        self.refused = 0

    def open(self, backlog: int) -> None:
        """Listen."""
        self._listening.listen(backlog)
        self._loop.add_reader(self._listening.fileno(), self._accept)

    async def close(self) -> None:
        """Take what waits, and no more; returns when all of it was handed on or refused."""
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening.fileno())
            while self._accept():
                pass
            self._listening.close()
        while self._waiting or self._handing:
            await asyncio.wait([*(one.ended for one in self._waiting), *self._handing])

    def _accept(self) -> bool:
        """Take some of those that wait; whether there may be more."""
        for _ in range(_AT_ONCE):
            try:
                connection, address = self._listening.accept()
            except OSError:  # nobody waits, or who waited has gone, or there are no descriptors left
                return False
            connection.setblocking(False)
            peer = str(address[0]).removeprefix("::ffff:")
            if not self._is_trusted(peer):
                self._refuse(connection, peer, "it is not one of server.trusted_proxies")
                continue
            self._waiting.add(_Arrival(self._loop, connection, peer, self))
        return True

    def _refuse(self, connection: socket.socket, peer: str, why: str) -> None:
        self.refused += 1
        connection.close()
        now = monotonic()
        if now - self._said_at >= _SAY_EVERY_S:
            self._said_at = now
            _LOG.warning("a connection from %s was refused: %s", peer, why)

    def arrived(self, arrival: "_Arrival", origin: Origin | None, why: str) -> None:
        """A header was read, or it could not be."""
        self._waiting.discard(arrival)
        if origin is None:
            self._refuse(arrival.connection, arrival.peer, why)
            return
        task = self._loop.create_task(self._hand_on(arrival.connection, origin), name="hand a connection on")
        self._handing.add(task)
        task.add_done_callback(self._handing.discard)

    async def _hand_on(self, connection: socket.socket, origin: Origin) -> None:
        limit = None if self._tls is None else self._header_s()
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._make(origin), connection, ssl=self._tls, ssl_handshake_timeout=limit
            )
        except OSError:  # the handshake failed, or the client has gone: nobody is left to be told
            connection.close()

    @property
    def header_s(self) -> float:
        return self._header_s()


class _Arrival:
    """One connection whose header has not come yet."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connection: socket.socket, peer: str, arrivals: Arrivals
    ) -> None:
        self.connection = connection
        self.peer = peer
        self.ended: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._arrivals = arrivals
        self._reader = HeaderReader()
        self._timer = loop.call_later(arrivals.header_s, self._end, None, "its PROXY header did not come in time")
        loop.add_reader(connection.fileno(), self._read)

    def _read(self) -> None:
        reader = self._reader
        try:
            # Looked at first: what comes after the header is for somebody else to read.
            peeked = self.connection.recv(reader.wanted, socket.MSG_PEEK)
            data = self.connection.recv(reader.ours(peeked)) if peeked else b""
            if not data:
                self._end(None, "it ended before its PROXY header did")
                return
            reader.feed(data)
        except BlockingIOError:
            return
        except OSError:
            self._end(None, "it broke off")
            return
        except BadHeader as error:
            self._end(None, f"it has no PROXY header: {error}")
            return
        if reader.origin is not None:
            self._end(reader.origin if reader.origin.address else self._itself(reader.origin), "")

    def _itself(self, origin: Origin) -> Origin:
        """The proxy speaks for itself: a health check."""
        return Origin(self.peer, 0, origin.secure)

    def _end(self, origin: Origin | None, why: str) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self.connection.fileno())
        self._arrivals.arrived(self, origin, why)
        self.ended.set_result(None)
