"""Owns the listening sockets: opens them once, never re-binds them, and drains before it stops."""

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, BadHttpMethod, BadStatusLine, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo
from aiohttp.web_request import BaseRequest

from proxy.errors import (
    BadRequest,
    GatewayError,
    HeadersTooLarge,
    NotImplementedHere,
    RequestTimeout,
    TargetTooLong,
    VersionNotSupported,
)
from proxy.plan.nodes import ServerPlan
from proxy.server.adapter import Adapter, peer_of
from proxy.server.arrivals import Arrivals
from proxy.server.census import Census
from proxy.server.clientcert import certificate_of
from proxy.server.hops import is_trusted
from proxy.server.proxyprotocol import Origin
from proxy.server.refusal import Refusal
from proxy.server.sockets import BACKLOG, accept_waiting, bind
from proxy.server.stalling import break_off
from proxy.server.whole import WholeAnswer

_LOG = logging.getLogger("proxy.server")
_KEEPALIVE_S = 75.0
# How often connections are looked at for clients that are too slow: a time-out may come so much late.
_LOOK_S = 0.5


# What the parser says of a method that is a token (RFC 9110 §5.6.2) and no known one.
_UNKNOWN_METHOD = re.compile(r"Invalid method encountered:\s+b'[!#$%&*+.^_`|~0-9A-Za-z-]+ ")


class _HeadTooSlow(Exception):
    """The head of a request did not arrive in time."""


class _Connection(RequestHandler):
    """aiohttp's connection, which answers what its parser refuses with a problem document instead of prose.

    `head_since`: when the head that is under way began, 0 while none is; the first one begins with the connection.
    `closing_since`: since when it waits for the client to take what was written before it ends.
    """

    __slots__ = (
        *("_census", "_counted", "_knows_clients", "_refuse"),
        *("cert", "closing_since", "head_since", "origin", "peer", "silent", "wire"),
    )

    def __init__(self, server: "_Server", origin: Origin | None = None, **options: Any) -> None:
        super().__init__(server, **options)
        self._refuse = server.adapter.refuse
        self._knows_clients = server.knows_clients
        self.origin = origin
        self.cert: Mapping[str, Any] | None = None
        self._census = server.census
        self._counted = False
        self.peer: tuple[str, int] | None = None
        self.wire: asyncio.Transport | None = None
        self.silent = True
        self.head_since = self.closing_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        origin = self.origin
        # The same for all of its requests.
        peer = self.peer = peer_of(transport) if origin is None else (origin.address, origin.port)
        if not self._census.enter(peer[0]):
            Refusal(transport)
            return
        self._counted = True
        self.wire = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self.head_since = self._loop.time()
        if self._knows_clients:
            self.cert = certificate_of(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.wire = None
        self.give_place()()

    def give_place(self) -> Callable[[], None]:
        """What to call when the client's connection has ended, for who takes it over."""
        if not self._counted or self.peer is None:
            return _nothing
        self._counted = False
        return partial(self._census.leave, self.peer[0])

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages:
            self.silent = False
            self.head_since = 0.0
            if isinstance(self._messages[-1][0], _ErrInfo):
                self._break_body()
        elif self._waiter is not None:
            self.silent = False
            if not self.head_since:
                self.head_since = self._loop.time()

    def look(self, now: float, header_s: float, send_s: float) -> None:
        """End it if its client has been too slow."""
        wire = self.wire
        if wire is None:
            return
        if wire.is_closing():
            self.closing_since = self.closing_since or now
            if now - self.closing_since >= send_s:
                break_off(wire, reset=True)
        elif self.head_since and now - self.head_since >= header_s:
            waiter = self._waiter
            if waiter is None or waiter.done():
                return
            self.head_since = 0.0
            if self.silent:
                self.force_close()  # a connection that was never used is not owed an answer
                return
            self._messages.append((_ErrInfo(status=408, exc=_HeadTooSlow(), message=""), EMPTY_PAYLOAD))
            waiter.set_result(None)

    def _break_body(self) -> None:
        """Tell whoever reads a body that its framing is broken: aiohttp would let them wait for the rest."""
        request = self._current_request
        if request is not None and not request.content.is_eof():
            self._messages.pop()
            request.content.set_exception(web.RequestPayloadError("the body's framing is broken"))
            request.content.feed_eof()  # there is nothing left of it to be read and thrown away
            self.close()

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        error = _parser_error(exc)
        if error is None:
            _LOG.error("a request ended unexpectedly", exc_info=exc)
            error = GatewayError("something went wrong here")
        response = self._refuse(request, error)
        return WholeAnswer(response.status, response.headers, response.body, length=None, close=True)


def _parser_error(exc: BaseException | None) -> GatewayError | None:
    """What the parser's refusal means; its own words may quote the client's bytes and are not repeated."""
    if isinstance(exc, _HeadTooSlow):
        return RequestTimeout("the head of the request did not arrive in time")
    if isinstance(exc, LineTooLong):
        # aiohttp's compiled parser says which only by the buffer that it hands over: a bytearray is the target.
        if exc.args and isinstance(exc.args[0], bytearray):
            return TargetTooLong("the request line is too long")
        return HeadersTooLarge("the headers are too large")
    if isinstance(exc, BadHttpMethod) and _UNKNOWN_METHOD.search(exc.message):
        return NotImplementedHere("nobody here knows this method")
    if isinstance(exc, BadStatusLine) and "Invalid HTTP version" in exc.message:
        return VersionNotSupported("only HTTP/1.0 and HTTP/1.1 are spoken here")
    if isinstance(exc, BadHttpMessage):
        if "many headers" in exc.message:
            return HeadersTooLarge("there are too many headers")
        return BadRequest("the request breaks HTTP")
    return None


def _nothing() -> None:
    """The place was given before."""


class _Server(web.Server):
    """aiohttp's server, making our connections."""

    def __init__(self, adapter: Adapter, census: Census, **options: Any) -> None:
        super().__init__(adapter, **options)
        self.adapter = adapter
        self.census = census
        self.knows_clients = False
        # aiohttp's own list keeps a connection until its task has ended, too.
        self._alive: set[RequestHandler] = set()
        self.empty = asyncio.Event()
        self.empty.set()

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def connect(self, origin: Origin) -> RequestHandler:
        """The protocol of a connection that a proxy has said the client of."""
        return _Connection(self, origin, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._alive.add(handler)
        self.empty.clear()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._alive.discard(handler)
        if not self._alive:
            self.empty.set()


_DEFAULTS = ServerPlan(max_target=8190, max_body=8 << 20, drain_s=10, body_s=30, trusted_proxies=())


class Listener:
    """The data path's sockets. `open` listens, `close` drains: stop accepting, finish what runs, then cut.

    `settings` are those of the current configuration; `files` is how many the process may have open.
    """

    def __init__(
        self,
        adapter: Adapter,
        *,
        max_line: int,
        settings: Callable[[], ServerPlan] = lambda: _DEFAULTS,
        files: int = 65536,
    ) -> None:
        self._adapter = adapter
        self._settings = settings
        self.census = Census(settings, lambda address: is_trusted(address, adapter.trusted()), files)
        self._server = _Server(
            adapter,
            self.census,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_KEEPALIVE_S,
            max_line_size=max_line,
            max_field_size=max_line,
            lingering_time=1.0,
        )
        self._runner = web.ServerRunner(self._server, handle_signals=False, shutdown_timeout=0.1)
        self._arrivals: list[Arrivals] = []
        self._listening: list[tuple[asyncio.Server, socket.socket, ssl.SSLContext | None]] = []
        self._looking: asyncio.TimerHandle | None = None

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Bind and listen; port 0 takes a free one. Returns what was bound. Raises OSError."""
        return await self.open_on(bind(host, port))

    async def open_on(self, bound: socket.socket, tls: ssl.SSLContext | None = None) -> tuple[str, int]:
        """Listen on a socket, which is closed with the listener. Returns its address. Raises OSError."""
        if self._looking is None:
            await self._runner.setup()
            self._look()
        settings = self._settings()
        self._server.knows_clients = tls is not None and tls.verify_mode != ssl.CERT_NONE
        address = bound.getsockname()
        if settings.proxy_protocol:
            arrivals = Arrivals(
                bound,
                self._server.connect,
                is_trusted=lambda address: is_trusted(address, self._adapter.trusted()),
                header_s=lambda: self._settings().header_s,
                tls=tls,
            )
            arrivals.open(BACKLOG)
            self._arrivals.append(arrivals)
            return str(address[0]), int(address[1])
        # Not aiohttp's site: it leaves a handshake a minute.
        limit = None if tls is None else settings.header_s
        server = await asyncio.get_running_loop().create_server(
            self._server, sock=bound, backlog=BACKLOG, ssl=tls, ssl_handshake_timeout=limit
        )
        self._listening.append((server, bound, tls))
        return str(address[0]), int(address[1])

    async def close(self, drain_s: float, idle_s: float = 0.0) -> bool:
        """Stop. Returns whether every request under way was answered within `drain_s`.

        A connection without a request may bring one more within `idle_s`: closing it at once would lose the request
        that is on its way (which `Connection: close` in an answer does not, RFC 9112 §9.6).
        """
        self._adapter.draining = True
        self._adapter.tunnels.start_draining()
        loop = asyncio.get_running_loop()
        until = loop.time() + drain_s
        while self._arrivals:
            await self._arrivals.pop().close()
        while self._listening:
            server, bound, tls = self._listening.pop()
            waiting = accept_waiting(bound)
            server.close()
            for connection in waiting:
                with contextlib.suppress(OSError):  # of one that breaks off its handshake
                    await loop.connect_accepted_socket(self._server, connection, ssl=tls)
        if idle_s:
            await _within(min(idle_s, drain_s), self._server.empty.wait())
        drained = await _within(max(until - loop.time(), 0.0), self._adapter.wait_idle())
        await self._adapter.tunnels.wait_empty()
        await self._runner.cleanup()
        if self._looking is not None:
            self._looking.cancel()
        return drained

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(_LOOK_S, self._look)
        settings, now = self._settings(), loop.time()
        for connection in self._server.connections:
            if isinstance(connection, _Connection):
                connection.look(now, settings.header_s, settings.send_s)


async def _within(seconds: float, work: Coroutine[Any, Any, Any]) -> bool:
    """Wait for something, but not longer; whether it came to its end."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return False
    return True
