"""Owns the listening sockets: opens them once, never re-binds them, and drains before it stops."""

import asyncio
import logging
import re
import socket
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, BadHttpMethod, BadStatusLine, LineTooLong
from aiohttp.web_protocol import RequestHandler, _ErrInfo
from aiohttp.web_request import BaseRequest

from proxy.errors import (
    BadRequest,
    GatewayError,
    HeadersTooLarge,
    NotImplementedHere,
    TargetTooLong,
    VersionNotSupported,
)
from proxy.server.adapter import Adapter, peer_of
from proxy.server.whole import WholeAnswer

_LOG = logging.getLogger("proxy.server")
_KEEPALIVE_S = 75.0


# What the parser says of a method that is a token (RFC 9110 §5.6.2) and no known one.
_UNKNOWN_METHOD = re.compile(r"Invalid method encountered:\s+b'[!#$%&*+.^_`|~0-9A-Za-z-]+ ")


class _Connection(RequestHandler):
    """aiohttp's connection, which answers what its parser refuses with a problem document instead of prose."""

    __slots__ = ("_refuse", "peer")

    def __init__(self, server: "_Server", **options: Any) -> None:
        super().__init__(server, **options)
        self._refuse = server.adapter.refuse
        self.peer: tuple[str, int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.peer = peer_of(transport)  # the same for all of its requests
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages and isinstance(self._messages[-1][0], _ErrInfo):
            self._break_body()

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


class _Server(web.Server):
    """aiohttp's server, making our connections."""

    def __init__(self, adapter: Adapter, **options: Any) -> None:
        super().__init__(adapter, **options)
        self.adapter = adapter

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Listener:
    """The data path's sockets. `open` binds, `close` drains: stop accepting, finish what runs, then cut."""

    def __init__(self, adapter: Adapter, *, max_line: int) -> None:
        self._adapter = adapter
        self._server = _Server(
            adapter,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_KEEPALIVE_S,
            max_line_size=max_line,
            max_field_size=max_line,
            lingering_time=1.0,
        )
        self._runner = web.ServerRunner(self._server, handle_signals=False, shutdown_timeout=0.1)
        self._sites: list[web.SockSite] = []

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Bind and listen; port 0 takes a free one. Returns what was bound. Raises OSError."""
        listening = bind(host, port)
        await self._runner.setup()
        site = web.SockSite(self._runner, listening)
        await site.start()
        self._sites.append(site)
        bound = listening.getsockname()
        return str(bound[0]), int(bound[1])

    async def close(self, drain_s: float) -> bool:
        """Stop. Returns whether every request under way was answered within `drain_s`."""
        self._adapter.draining = True
        while self._sites:
            await self._sites.pop().stop()
        try:
            async with asyncio.timeout(drain_s):
                await self._adapter.wait_idle()
            drained = True
        except TimeoutError:
            drained = False
        await self._runner.cleanup()
        return drained


def bind(host: str, port: int) -> socket.socket:
    """A listening-to-be socket on an address. Raises OSError, which names what is wrong."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:
        raise OSError(f"{host!r} is not a host") from None
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound
