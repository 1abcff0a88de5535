"""A gateway over endpoints whose answers a test decides, all on real sockets in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import RawTestServer

from proxy.events import Event
from proxy.gateway import Gateway
from proxy.server.listener import Listener

Answer = Callable[[web.BaseRequest], Coroutine[Any, Any, web.StreamResponse]]


async def fine(request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response("fine")


async def ill(request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response("ill", status=503)


async def never(request: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def dropped(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class Endpoint:
    """One server, whose `answer` may be changed."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.ports: list[int] = []
        self.url = ""

    @property
    def count(self) -> int:
        return len(self.bodies)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.paths.append(request.path)
        self.ports.append(request.transport.get_extra_info("peername")[1] if request.transport is not None else 0)
        self.bodies.append(await request.read())
        return await self.answer(request)


class World:
    """A gateway over some endpoints."""

    def __init__(self, gateway: Gateway, url: str, session: ClientSession, events: list[Event]) -> None:
        self.gateway = gateway
        self.url = url
        self.session = session
        self.events = events

    async def ask(self, path: str = "/page", method: str = "GET", body: bytes | None = None) -> int:
        async with self.session.request(method, self.url + path, data=body) as response:
            await response.read()
            return response.status

    def said(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def world(folder: Path, upstream: str, route: str, *endpoints: Endpoint) -> AsyncIterator[World]:
    """A gateway whose upstream `u` has these endpoints, in turn, and what is said besides."""
    async with started(*endpoints):
        urls = ", ".join(f'"{one.url}"' for one in endpoints)
        text = f"version: 1\nupstreams: {{u: {{urls: [{urls}], balance: round_robin{upstream}}}}}\n{route}"
        async with serving(folder, text) as here:
            yield here


@asynccontextmanager
async def serving(folder: Path, text: str) -> AsyncIterator[World]:
    """A gateway that serves this configuration, in `folder/routes.yaml`."""
    config = folder / "routes.yaml"
    config.write_text(text)
    events: list[Event] = []
    gateway = Gateway(config, [events.append], env={})
    await gateway.load("start")
    listener = Listener(gateway.make_adapter(), max_line=8190)
    host, port = await listener.open("127.0.0.1", 0)
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        yield World(gateway, f"http://{host}:{port}", session, events)
    await listener.close(1)
    await gateway.close()


@asynccontextmanager
async def started(*endpoints: Endpoint) -> AsyncIterator[None]:
    """These endpoints listen. One that has a URL already does so for nobody."""
    if not endpoints:
        yield
        return
    async with RawTestServer(endpoints[0]) as server, started(*endpoints[1:]):
        endpoints[0].url = endpoints[0].url or str(server.make_url("")).rstrip("/")
        yield
