"""The WebSockets that are open: takes connections over from aiohttp, and lets go of them at a stop.

After the 101 neither aiohttp's handler nor its task is needed; both end with the request, and the transport stays with
the relay. What keeps the generation and writes the log line is `Response.end`, as with any streamed answer.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from proxy.clock import http_date
from proxy.events import Observer, WebSocketChanged
from proxy.message import Request, Response
from proxy.server.relay import CLIENT_GONE, Relay
from proxy.server.websocket import Switched

DRAINED = "websocket_drained"


class _Placed(Protocol):
    """A connection that is counted, and that somebody else will say the end of."""

    def give_place(self) -> Callable[[], None]: ...


class Tunnels:
    """Relays that run. Each lives up to its route's `drain` once a stop has begun."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._open: set[Relay] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False

    def __len__(self) -> int:
        return len(self._open)

    def start_draining(self) -> None:
        """From now on the time of each runs out."""
        self._draining = True
        for relay in self._open:
            _leave_later(relay)

    async def wait_empty(self) -> None:
        """Wait until none is open."""
        await self._empty.wait()

    def open(self, base: BaseRequest, request: Request, response: Response) -> web.StreamResponse:
        """Send the 101, and relay from now on. Gives what aiohttp is to be told instead of an answer."""
        stream = response.stream
        assert isinstance(stream, Switched)
        head = encode_head(response)
        leave = cast(_Placed, base.protocol).give_place()
        transport, from_client, is_full = hand_over(base.protocol)
        if transport is None or transport.is_closing():
            response.error = CLIENT_GONE
            leave()
            response.end()
            return HandedOver()
        # They lead to aiohttp's request and handler, which would live as long as the WebSocket.
        request.read_body, request.open_body, request.inform = _no_body, None, None
        relay = Relay(
            idle_s=stream.plan.idle_s, drain_s=stream.plan.drain_s, done=self._when_done(stream, response, leave)
        )
        self._open.add(relay)
        self._empty.clear()
        self._observer(WebSocketChanged(stream.route, 1))
        relay.client.transport = transport
        transport.set_protocol(relay.client)
        relay.upstream.transport, from_upstream = stream.duplex.take(relay.upstream)
        relay.begin(head, from_client, from_upstream)
        if is_full:
            relay.client.pause_writing()
        if self._draining:
            _leave_later(relay)
        return HandedOver()

    def _when_done(self, stream: Switched, response: Response, leave: Callable[[], None]) -> Callable[[Relay], None]:
        def done(relay: Relay) -> None:
            self._open.discard(relay)
            if not self._open:
                self._empty.set()
            self._observer(WebSocketChanged(stream.route, -1))
            response.sent, response.received = relay.upstream.received, relay.client.received
            response.error = relay.error
            stream.duplex.over()
            leave()
            response.end()

        return done


class HandedOver(web.StreamResponse):
    """Stands where aiohttp expects an answer: there is nothing left to write."""

    __slots__ = ()
    _eof_sent = True

    def __init__(self) -> None:
        pass  # not aiohttp's own: it makes a state that only its way of writing needs

    @property
    def status(self) -> int:
        return 101

    @property
    def keep_alive(self) -> bool | None:
        return False

    async def prepare(self, request: BaseRequest) -> None:
        """Nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing."""


def hand_over(handler: RequestHandler) -> tuple[asyncio.Transport | None, bytes, bool]:
    """Take a connection from aiohttp: its transport, what came behind the handshake, and whether writing has to wait.

    The handler ends when its request does, as one whose client has gone, and leaves the transport alone.
    """
    transport, handler.transport = handler.transport, None
    handler._force_close = True
    handler._upgraded = False  # what came behind is ours: nothing of it is to be parsed
    tail, handler._message_tail = handler._message_tail, b""
    if handler._keepalive_handle is not None:
        handler._keepalive_handle.cancel()
        handler._keepalive_handle = None
    if transport is not None:
        if handler._manager is not None:
            handler._manager.connection_lost(handler)  # a stop does not close what is not aiohttp's
        if handler._buffer_paused and not transport.is_closing():
            transport.resume_reading()
    return transport, tail, handler.writing_paused


def encode_head(response: Response) -> bytes:
    """The bytes of the 101 (RFC 9112 §4)."""
    lines = ["HTTP/1.1 101 Switching Protocols"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if "Date" not in response.headers:
        lines.append(f"Date: {http_date()}")
    head = "\n".join(lines)
    if head.count("\n") != len(lines) - 1 or "\r" in head or "\0" in head:
        raise ValueError("a header would have broken the answer's framing")
    return head.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n\r\n"


def _leave_later(relay: Relay) -> None:
    asyncio.get_running_loop().call_later(relay.drain_s, relay.leave, DRAINED)


async def _no_body(limit: int) -> bytes:
    return b""
