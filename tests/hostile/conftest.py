"""A gateway with a route for every place where a client's word reaches something, and servers that see what comes."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import RawTestServer

from proxy.gateway import Gateway
from proxy.observe.accesslog import access_log
from proxy.server.listener import Listener
from tests.unit.security.issuer import Issuer, issuing

CONFIG = Path(__file__).parent / "routes.yaml"


class World:
    """`seen` is what the upstream got: method, raw path and headers; `canary` what somebody else was asked.

    `answers`: by path, an answer or what makes one.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Any]] = []
        self.canary: list[str] = []
        self.canary_port = 0
        self.answers: dict[str, Any] = {}
        self.url = ""
        self.port = 0
        self.session: Any = None
        self.issuer = Issuer()
        self.log = io.BytesIO()

    async def upstream(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append((request.method, request.raw_path, request.headers))
        answer = self.answers.get(request.path)
        if answer is not None:
            return answer() if callable(answer) else answer
        if request.path in {"/inside/seen", "/inside/kept"}:
            host = request.headers.get("X-Forwarded-Host", "")
            original = request.headers.get("X-Original-URL", "")
            return web.json_response({"host": host, "url": original, "body": (await request.read()).decode()})
        return web.json_response({"id": 1})

    async def other(self, request: web.BaseRequest) -> web.StreamResponse:
        self.canary.append(request.raw_path)
        return web.json_response("internal")

    async def talk(self, data: bytes) -> bytes:
        """Send bytes as they are; read until the gateway closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()

    async def get(self, target: str, *fields: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes, bytes]:
        """Status, head and body of the answer to a request with this target, byte for byte."""
        lines = [f"{method} {target} HTTP/1.1", "Host: shop.example", "Connection: close", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        answer = await self.talk("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        head, _, rest = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0, head, rest


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    async with issuing() as world.issuer, RawTestServer(world.upstream) as one, RawTestServer(world.other) as canary:
        env = {
            "U": str(one.make_url("")).rstrip("/"),
            "CANARY": str(canary.make_url("")).rstrip("/"),
            "JWKS": world.issuer.url,
        }
        world.canary_port = canary.port or 0
        gateway = Gateway(CONFIG, [access_log(world.log)], env=env)
        await gateway.load("start")
        listener = Listener(gateway.make_adapter(), max_line=8190)
        host, world.port = await listener.open("127.0.0.1", 0)
        world.url = f"http://{host}:{world.port}"
        async with ClientSession(cookie_jar=DummyCookieJar()) as world.session:
            yield world
        await listener.close(1)
        await gateway.close()
    for line in world.log.getvalue().splitlines():
        json.loads(line)


def bomb(size: int) -> bytes:
    """So many zeros, compressed."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    return packed.getvalue()


@pytest.fixture(scope="session")
def a_bomb() -> bytes:
    """A quarter of a GiB in a quarter of a MiB."""
    return bomb(256 << 20)


@pytest.fixture
def canary_port(world: World) -> int:
    """Where somebody listens who must not be asked."""
    return world.canary_port
