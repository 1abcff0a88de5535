import asyncio
import socket
from typing import Any

import pytest

from proxy.errors import UpstreamTimeout, UpstreamUnreachable
from proxy.plan.upstreams import Endpoint
from proxy.upstream.http1.connect import connect
from proxy.upstream.http1.connection import Connection
from proxy.upstream.http1.heads import Heads


def make() -> Connection:
    return Connection(1, 1, lambda _, __: None, Heads(), 0)


async def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        closed.set()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        refusing = unused.getsockname()

    async def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", one) for one in (refusing, address)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    async with server:
        connection = await connect(Endpoint("http", "two.example", 80), None, 5, make)
        assert connection.transport is not None
        assert connection.transport.get_extra_info("peername") == address
        connection.close()
        await asyncio.wait_for(closed.wait(), 5)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example"])
async def test_a_name_without_an_address_is_unreachable(host: str) -> None:
    with pytest.raises((UpstreamUnreachable, UpstreamTimeout)):
        await connect(Endpoint("http", host, 80), None, 5, make)


async def test_connecting_has_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: Any, **__: Any) -> list[Any]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(UpstreamTimeout, match=r"no connection within 0\.01 s"):
        await connect(Endpoint("http", "slow.example", 80), None, 0.01, make)
