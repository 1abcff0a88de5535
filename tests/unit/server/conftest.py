"""Requests as the layers see them, and answers as bytes from a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.clock import monotonic
from proxy.message import Request, Response
from proxy.server.adapter import Adapter
from proxy.server.hops import parse_networks
from proxy.server.listener import Listener

Serve = Callable[[Request], Awaitable[Response]]


@pytest.fixture
def request_of() -> Callable[..., Request]:
    def make(target: str = "/", body: bytes = b"", **changes: Any) -> Request:
        async def read_body(limit: int) -> bytes:
            return body

        path, _, query = target.partition("?")
        headers = CIMultiDict(changes.pop("headers", {"Host": "example.com"}))
        given: dict[str, Any] = {
            "method": "GET",
            "raw_target": target,
            "headers": CIMultiDictProxy(headers),
            "read_body": read_body,
            "id": "r1",
            "client_ip": "192.0.2.1",
            "client_port": 5000,
            "scheme": "http",
            "host": headers.get("Host", ""),
            "received_at": monotonic(),
            "path": path,
            "query": query,
            "has_query": "?" in target,
            "max_body": 1000,
        }
        return Request(**{**given, **changes})

    return make


class Served:
    """A listener over one service: what was seen, and a way to talk to it in bytes."""

    def __init__(self) -> None:
        self.serve: Serve = self._echo
        self.requests: list[Request] = []
        self.events: list[Any] = []
        self.trusted = parse_networks(())
        self.body_s = 5.0
        self.adapter = Adapter(
            self._record, trusted=lambda: self.trusted, body_s=lambda: self.body_s, observer=self.events.append
        )
        self.listener = Listener(self.adapter, max_line=8190)
        self.address: tuple[str, int] = ("", 0)

    async def _record(self, request: Request) -> Response:
        self.requests.append(request)
        return await self.serve(request)

    async def _echo(self, request: Request) -> Response:
        return Response(200, CIMultiDict({"Content-Type": "text/plain"}), await request.read_body(10))

    async def talk(self, data: bytes) -> bytes:
        """Send bytes, read until the gateway closes."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(data)
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    served.address = await served.listener.open("127.0.0.1", 0)
    yield served
    await served.listener.close(1)
