"""WebSockets through a gateway, with real clients and servers: nothing that either says is changed or kept."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import (
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    DummyCookieJar,
    WSMessage,
    WSMsgType,
    WSServerHandshakeError,
    web,
)
from aiohttp.test_utils import RawTestServer

from proxy.events import Event, RequestFinished
from proxy.gateway import Gateway
from proxy.observe.metrics import Metrics
from proxy.server.listener import Listener

CONFIG = """
version: 1
server: {drain: 1s}
upstreams: {chat: {urls: ["http://127.0.0.1:PORT"], max_connections: 2000, timeouts: {connect: 10s}}}
routes:
  - name: chat
    match: /chat/{rest:path}
    proxy:
      to: chat
      path: {strip_prefix: /chat}
      headers: {request: {set: {X-Room: blue}}, response: {set: {X-Seen: "yes"}}}
      websocket: WEBSOCKET
  - {name: off, match: /off, proxy: chat}
"""
Serve = Callable[[web.WebSocketResponse], Awaitable[None]]
PATIENCE_S = 20
HANDSHAKE = (
    b"GET /chat/raw HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def soon(waiting: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(waiting, PATIENCE_S)


class Upstream:
    """A WebSocket server; `serve` is what it does with each that is opened. Keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[web.BaseRequest] = []
        self.serve: Serve = echo
        self.options: dict[str, Any] = {"max_msg_size": 64 * 1024 * 1024}
        self.codes: asyncio.Queue[int | None] = asyncio.Queue()
        self.answer: Callable[[], web.Response] | None = None

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer()
        socket = web.WebSocketResponse(**self.options)
        await socket.prepare(request)
        try:
            await self.serve(socket)
        finally:
            self.codes.put_nowait(socket.close_code)
        return socket


async def echo(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        match message.type:
            case WSMsgType.TEXT:
                await socket.send_str(message.data)
            case WSMsgType.BINARY:
                await socket.send_bytes(message.data)


class Running:
    """A gateway before one upstream, and the WebSockets that are opened to it."""

    def __init__(self, upstream: Upstream, gateway: Gateway, listener: Listener, config: Path) -> None:
        self.upstream = upstream
        self.gateway = gateway
        self.listener = listener
        self.config = config
        self.metrics = Metrics()
        self.finished: asyncio.Queue[RequestFinished] = asyncio.Queue()
        self.session = ClientSession(cookie_jar=DummyCookieJar())
        self.address = ("", 0)
        self.adapter: Any = None
        self.writers: list[asyncio.StreamWriter] = []

    def observe(self, event: Event) -> None:
        self.metrics(event)
        if isinstance(event, RequestFinished):
            self.finished.put_nowait(event)

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.address)

    async def open(self, path: str = "/chat/x", **options: Any) -> ClientWebSocketResponse:
        options = {"max_msg_size": 64 * 1024 * 1024, "timeout": ClientWSTimeout(ws_close=PATIENCE_S), **options}
        return await soon(self.session.ws_connect(self.url + path, **options))

    async def raw(self, after: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """A WebSocket as bare bytes, with its 101."""
        reader, writer = await self.send(HANDSHAKE + after)
        return reader, writer, await soon(reader.readuntil(b"\r\n\r\n"))

    async def send(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address)
        self.writers.append(writer)
        writer.write(data)
        return reader, writer

    def metric(self, text: str) -> bool:
        return f"\n{text}\n" in self.metrics.render().decode()


@pytest.fixture
def running(tmp_path: Path) -> Any:
    @asynccontextmanager
    async def run(websocket: str = "true", server: Any = None) -> AsyncIterator[Running]:
        upstream = Upstream()
        async with server or RawTestServer(upstream) as stub:
            config = tmp_path / "routes.yaml"
            config.write_text(CONFIG.replace("PORT", str(stub.port)).replace("WEBSOCKET", websocket))
            observers: list[Any] = []
            gateway = Gateway(config, [lambda event: [tell(event) for tell in observers]], {})
            await gateway.load("start")
            adapter = gateway.make_adapter()
            listener = Listener(adapter, max_line=8190)
            one = Running(upstream, gateway, listener, config)
            observers.append(one.observe)
            one.adapter = adapter
            one.address = await listener.open("127.0.0.1", 0)
            try:
                async with one.session:
                    yield one
            finally:
                for writer in one.writers:
                    writer.transport.abort()
                await soon(listener.close(1))
                await gateway.close()

    return run


async def test_messages_go_both_ways_and_the_handshake_is_passed(running: Any) -> None:
    async with running() as one:
        one.upstream.options["protocols"] = ["v2.chat"]
        socket = await one.open("/chat/room?x=a+b", protocols=["v1.chat", "v2.chat"], origin="https://a.example")
        assert socket.protocol == "v2.chat"
        await socket.send_str("hällo")
        assert (await soon(socket.receive())).data == "hällo"
        await socket.send_bytes(b"\0\xff")
        assert (await soon(socket.receive())).data == b"\0\xff"
        assert one.metric('proxy_websockets_open{route="chat"} 1.0')
        assert await soon(socket.close(code=4001, message=b"bye"))
        assert await soon(one.upstream.codes.get()) == 4001
        (request,) = one.upstream.requests
        assert request.raw_path == "/room?x=a+b"
        wanted = {
            "X-Room": "blue",
            "Via": "1.1 proxy-composer",
            "X-Forwarded-For": "127.0.0.1",
            "Origin": "https://a.example",
            "Connection": "Upgrade",
            "Sec-WebSocket-Protocol": "v1.chat,v2.chat",
        }
        assert {name: request.headers.get(name) for name in wanted} == wanted
        headers = socket._response.headers
        assert (headers["X-Seen"], headers["Via"]) == ("yes", "1.1 proxy-composer")
        assert headers["X-Request-Id"] == request.headers["X-Request-Id"]
        event = await soon(one.finished.get())
        assert (event.response.status, event.response.error, event.request.route) == (101, None, "chat")
        assert event.response.received == len(b"hallo") + 1 + 6 + 2 + 6 + 2 + 3 + 6
        assert event.response.size == len(b"hallo") + 1 + 2 + 2 + 2 + 2 + 2
        assert one.metric('proxy_websockets_open{route="chat"} 0.0')


async def test_a_large_message_and_its_compression_pass(running: Any) -> None:
    async with running() as one:
        for compress in (0, 15):
            socket = await one.open(compress=compress)
            assert bool(socket.compress) is bool(compress)
            large = os.urandom(8 * 1024 * 1024) * 2
            await socket.send_bytes(large)
            assert (await soon(socket.receive())).data == large
            await socket.send_str("a" * 1000)
            assert (await soon(socket.receive())).data == "a" * 1000
            await soon(socket.close())


async def test_fragments_and_pings_pass_as_they_are(running: Any) -> None:
    fragments = b"\x01\x81\0\0\0\0a" + b"\x89\x81\0\0\0\0p" + b"\x80\x81\0\0\0\0b"
    async with running() as one:
        reader, writer, _ = await one.raw()
        writer.write(fragments)
        assert await soon(reader.readexactly(3 + 4)) == b"\x8a\x01p" + b"\x81\x02ab"
        for byte in b"\x81\x83\0\0\0\0abc":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await soon(reader.readexactly(5)) == b"\x81\x03abc"
        writer.close()
        assert (await soon(one.finished.get())).response.error == "client_gone"


async def test_what_comes_in_one_packet_with_the_handshakes_is_not_lost(running: Any) -> None:
    async def greet(socket: web.WebSocketResponse) -> None:
        await echo(socket)

    async with running() as one:
        one.upstream.serve = greet
        reader, writer, head = await one.raw(after=b"\x81\x81\0\0\0\0a")
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
        assert await soon(reader.readexactly(3)) == b"\x81\x01a"
        writer.close()


@pytest.mark.parametrize("code", [1000, 1011, 4123])
async def test_a_close_of_the_upstream_reaches_the_client(code: int, running: Any) -> None:
    async def close(socket: web.WebSocketResponse) -> None:
        await socket.close(code=code, message=b"why")

    async with running() as one:
        one.upstream.serve = close
        socket = await one.open()
        message: WSMessage = await soon(socket.receive())
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, code, "why")
        assert (await soon(one.finished.get())).response.error is None


async def test_an_upstream_that_is_cut_off_is_an_abort_for_the_client(running: Any) -> None:
    async def die(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        socket._req.transport.abort()

    async with running() as one:
        one.upstream.serve = die
        socket = await one.open()
        await socket.send_str("x")
        await soon(socket.receive())
        assert socket.close_code == 1006
        assert (await soon(one.finished.get())).response.error == "upstream_gone"


async def test_a_client_that_is_cut_off_is_one_for_the_upstream(running: Any) -> None:
    async with running() as one:
        socket = await one.open()
        await socket.send_str("x")
        await soon(socket.receive())
        socket._conn.transport.abort()
        assert await soon(one.upstream.codes.get()) in (None, 1006)
        assert (await soon(one.finished.get())).response.error == "client_gone"


async def test_a_refusal_is_an_ordinary_answer_and_the_connection_goes_on(running: Any) -> None:
    async with running() as one:
        one.upstream.answer = lambda: web.Response(status=403, text="not you", headers={"X-Why": "banned"})
        with pytest.raises(WSServerHandshakeError) as refused:
            await one.open()
        assert refused.value.status == 403
        reader, _ = await one.send(HANDSHAKE + b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = await soon(reader.read())
        assert answers.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"not you" in answers
        assert b"HTTP/1.1 404" in answers


async def test_a_route_that_does_not_say_so_passes_none(running: Any) -> None:
    async with running() as one:
        with pytest.raises(WSServerHandshakeError) as refused:
            await one.open("/off")
        assert refused.value.status == 501
        assert one.upstream.requests == []


@pytest.mark.parametrize(
    "old,new",
    [
        (b"GET ", b"POST "),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Sec-WebSocket-Version: 13\r\n", b""),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        (b"Sec-WebSocket-Version: 13\r\n", b"Sec-WebSocket-Version: 13\r\nContent-Length: 1\r\n"),
    ],
)
async def test_a_malformed_handshake_is_400_and_nothing_is_sent(old: bytes, new: bytes, running: Any) -> None:
    async with running() as one:
        reader, _ = await one.send(HANDSHAKE.replace(old, new) + b"x")
        answer = await soon(reader.read())
        assert answer.split()[1] == b"400"
        assert answer.count(b"X-Request-Id") == 1
        assert one.upstream.requests == []


async def test_one_that_is_silent_is_closed_on_both_sides(running: Any) -> None:
    async with running("{idle_timeout: 50ms}") as one:
        socket = await one.open(autoping=False)
        message = await soon(socket.receive())
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        assert await soon(one.upstream.codes.get()) == 1001
        assert (await soon(one.finished.get())).response.error == "websocket_idle"


async def test_a_stop_lets_them_live_for_a_while_and_then_says_goodbye(running: Any) -> None:
    async with running("{drain: 50ms}") as one:
        socket = await one.open()
        closing = asyncio.get_running_loop().create_task(one.listener.close(1))
        message = await soon(socket.receive())
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        assert await soon(one.upstream.codes.get()) == 1001
        assert await soon(closing)
        assert (await soon(one.finished.get())).response.error == "websocket_drained"


async def test_a_stop_waits_for_one_that_is_in_use(running: Any) -> None:
    async with running("{drain: 10m}") as one:
        socket = await one.open()
        closing = asyncio.get_running_loop().create_task(one.listener.close(1))
        await socket.send_str("still here")
        assert (await soon(socket.receive())).data == "still here"
        assert not closing.done()
        await soon(socket.close())
        assert await soon(closing)


async def test_a_reload_leaves_them_alone(running: Any) -> None:
    async with running() as one:
        socket = await one.open()
        old = one.gateway.current
        one.config.write_text(one.config.read_text().replace("max_connections: 2000", "max_connections: 9"))
        assert (await one.gateway.load("test")).number == 2
        await asyncio.sleep(0)
        for text in ("a", "b"):
            await socket.send_str(text)
            assert (await soon(socket.receive())).data == text
        assert len(one.gateway.registry.clients()) == 2, "the old upstream is still held"
        assert old._held == 1
        await soon(socket.close())
        assert (await soon(one.finished.get())).generation == 1
        await soon(asyncio.gather(*one.gateway._retiring))
        assert len(one.gateway.registry.clients()) == 1


async def test_who_does_not_read_makes_the_other_side_wait(running: Any) -> None:
    sent = 0
    full = asyncio.Event()

    async def flood(socket: web.WebSocketResponse) -> None:
        nonlocal sent
        piece = bytes(256 * 1024)
        while True:
            try:
                async with asyncio.timeout(0.5):
                    await socket.send_bytes(piece)
            except TimeoutError:
                full.set()
                return
            sent += len(piece)

    async with running() as one:
        one.upstream.serve = flood
        reader, writer, _ = await one.raw()
        reader._transport.pause_reading()
        await soon(full.wait())
        (relay,) = one.adapter.tunnels._open
        assert relay.client.transport.get_write_buffer_size() < 1024 * 1024
        assert sent < 64 * 1024 * 1024
        writer.transport.abort()
