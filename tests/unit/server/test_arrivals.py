import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from proxy.server.arrivals import Arrivals
from proxy.server.proxyprotocol import Origin
from proxy.server.sockets import bind

LINE = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n"


class Echo(asyncio.Protocol):
    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._transport.write(f"{self._origin.address} {self._origin.port} ".encode())

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)
        self._transport.close()


class World:
    def __init__(self, listening: socket.socket, arrivals: Arrivals) -> None:
        self.arrivals = arrivals
        self.address = listening.getsockname()

    async def talk(self, *pieces: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self.address)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(5):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@pytest.fixture
async def world() -> AsyncIterator[Callable[..., World]]:
    worlds = []

    def make(trusted: bool = True, header_s: float = 5.0) -> World:
        listening = bind("127.0.0.1", 0)
        arrivals = Arrivals(listening, Echo, is_trusted=lambda address: trusted, header_s=lambda: header_s, tls=None)
        arrivals.open(10)
        worlds.append(World(listening, arrivals))
        return worlds[-1]

    yield make
    for one in worlds:
        await one.arrivals.close()


async def test_what_follows_the_header_is_whole(world: Any) -> None:
    assert await world().talk(LINE + b"hello") == b"192.0.2.7 4711 hello"


async def test_a_header_may_come_byte_by_byte(world: Any) -> None:
    pieces = [bytes([byte]) for byte in LINE]
    assert await world().talk(*pieces, b"hello") == b"192.0.2.7 4711 hello"


async def test_the_proxy_may_speak_for_itself(world: Any) -> None:
    assert await world().talk(b"PROXY UNKNOWN\r\n", b"hello") == b"127.0.0.1 0 hello"


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PROXY TCP4 x y 1 2\r\n", LINE[:20]])
async def test_without_one_there_is_no_connection(data: bytes, world: Any) -> None:
    one = world(header_s=0.1)
    assert await one.talk(data) == b""
    assert one.arrivals.refused == 1


async def test_from_anybody_else_it_is_not_even_read(world: Any) -> None:
    one = world(trusted=False)
    assert await one.talk(LINE + b"hello") == b""
    assert one.arrivals.refused == 1


async def test_closing_hands_on_what_has_its_header_and_takes_nothing_new(world: Any) -> None:
    one = world()
    _, held = await asyncio.open_connection(*one.address)
    reader, writer = await asyncio.open_connection(*one.address)
    held.write(LINE[:10])
    writer.write(LINE + b"hello")
    await writer.drain()
    closing = asyncio.get_running_loop().create_task(one.arrivals.close())
    assert await reader.read() == b"192.0.2.7 4711 hello"
    held.close()
    await closing
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*one.address)
    writer.close()


async def test_who_goes_away_before_the_header_is_forgotten(world: Any) -> None:
    one = world()
    _, writer = await asyncio.open_connection(*one.address)
    writer.write(LINE[:10])
    await writer.drain()
    writer.close()
    await one.arrivals.close()
    assert one.arrivals.refused == 1
