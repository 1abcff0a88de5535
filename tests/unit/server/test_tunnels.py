import asyncio
import socket
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from multidict import CIMultiDict

from proxy.events import Event, WebSocketChanged
from proxy.message import Request, Response
from proxy.plan.proxying import WebSocketPlan
from proxy.server.tunnels import HandedOver, Tunnels, encode_head
from proxy.server.websocket import Switched
from proxy.upstream.http1.duplex import Duplex

EARLY = b"\x81\x03abc"  # a frame that came with the 101


class Far(asyncio.Protocol):
    """The upstream's end of a socket pair."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.changed = asyncio.Event()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.changed.set()

    async def hears(self, data: bytes) -> None:
        async with asyncio.timeout(5):
            while data not in self.heard:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gives every connection a place, as the listener's own connections have one; counts those that were left."""
    left: list[int] = []
    monkeypatch.setattr(RequestHandler, "give_place", lambda _: lambda: left.append(1), raising=False)
    return left


class World:
    """A server whose every request becomes a tunnel to `far`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.tunnels = Tunnels(self.events.append)
        self.far = Far()
        self.ended = asyncio.Event()

    async def __call__(self, base: BaseRequest) -> web.StreamResponse:
        near, far = socket.socketpair()
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self.far, sock=far)
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        duplex = Duplex(transport, EARLY, lambda: None)
        request: Any = Request(
            method="GET", raw_target="/", headers=base.headers, read_body=base.read, id="1", client_ip="",
            client_port=0, scheme="http", host="", received_at=0.0,
        )  # fmt: skip
        response = Response(
            101, CIMultiDict({"X-A": "b"}), stream=Switched(duplex, WebSocketPlan(idle_s=60, drain_s=0.01), "chat")
        )
        response.at_end(self.ended.set)
        return self.tunnels.open(base, request, response)

    def changes(self) -> list[int]:
        return [event.change for event in self.events if isinstance(event, WebSocketChanged)]


async def opened(world: World, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\nX-A: b\r\nDate: ")
    assert await reader.readexactly(5) == EARLY
    return reader, writer


async def test_a_connection_is_taken_over_and_bytes_go_both_ways(places: list[int]) -> None:
    world = World()
    async with RawTestServer(world) as server:
        assert server.port is not None
        reader, writer = await opened(world, server.port)
        writer.write(b"\x81\x00")
        await world.far.hears(b"\x81\x00")
        world.far.transport.write(b"\x82\x00")
        assert await reader.readexactly(2) == b"\x82\x00"
        assert (len(world.tunnels), world.changes()) == (1, [1])
        writer.close()
        async with asyncio.timeout(5):
            await world.tunnels.wait_empty()
            await world.ended.wait()
        assert world.changes() == [1, -1]
        assert places == [1]


async def test_a_stop_says_goodbye_when_its_time_is_over() -> None:
    world = World()
    async with RawTestServer(world) as server:
        assert server.port is not None
        reader, writer = await opened(world, server.port)
        world.tunnels.start_draining()
        async with asyncio.timeout(5):
            assert await reader.readexactly(4) == b"\x88\x02\x03\xe9"
            writer.write(b"\x88\x80abcd")
            world.far.transport.close()
            await world.tunnels.wait_empty()
        writer.close()


async def test_what_stands_for_the_answer_writes_nothing() -> None:
    answer = HandedOver()
    base: Any = None
    await answer.prepare(base)
    await answer.write_eof()
    assert (answer.status, answer.keep_alive) == (101, False)


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_a_header_that_would_break_the_head_is_never_written(value: str) -> None:
    with pytest.raises(ValueError, match="framing"):
        encode_head(Response(101, CIMultiDict({"X-A": value})))


def test_a_date_is_said_once() -> None:
    assert encode_head(Response(101, CIMultiDict({"Date": "then"}))).count(b"Date:") == 1
