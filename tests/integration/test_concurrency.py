"""`concurrency` over real sockets: a place is taken while an answer is under way, and given back however it ends."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, WSMsgType, web
from aiohttp.test_utils import RawTestServer

CONFIG = """
version: 1
upstreams: {u: "${env.U}"}
routes:
  - {name: files, match: "/files/{rest:path}", concurrency: 1, proxy: {to: u, websocket: {}}}
  - {name: composed, match: GET /composed, concurrency: 1, calls: {x: {get: "u:/held"}}, merge: $.x}
"""


class World:
    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.gone = asyncio.Event()
        self.url = ""
        self.session: Any = None

    async def upstream(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade"):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(message.data)
            return socket
        if request.path.endswith("quick"):
            return web.json_response(1)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"[1")
        self.began.set()
        try:
            await self.go_on.wait()
            await response.write(b"]")
        except BaseException:
            self.gone.set()
            raise
        return response

    async def status(self, path: str) -> int:
        async with self.session.get(self.url + path) as response:
            await response.read()
            return int(response.status)

    async def until_free(self, path: str) -> None:
        async with asyncio.timeout(10):
            while await self.status(path) != 200:  # noqa: ASYNC110 – what is waited for is in the gateway
                await asyncio.sleep(0.01)


@pytest.fixture
async def world(serving: Any, tmp_path: Path) -> Any:
    world = World()
    (tmp_path / "routes.yaml").write_text(CONFIG)
    async with (
        RawTestServer(world.upstream, handler_cancellation=True) as server,
        serving(tmp_path / "routes.yaml", {"U": str(server.make_url("")).rstrip("/")}) as world.url,
        ClientSession(cookie_jar=DummyCookieJar()) as world.session,
    ):
        yield world


async def test_a_stream_holds_its_place_to_its_end(world: World) -> None:
    async with world.session.get(world.url + "/files/held") as response:
        await world.began.wait()
        assert await world.status("/files/quick") == 429
        world.go_on.set()
        assert await response.read() == b"[1]"
    await world.until_free("/files/quick")


async def test_a_client_that_goes_away_leaves_its_place(world: World) -> None:
    response = await world.session.get(world.url + "/files/held")
    await world.began.wait()
    response.close()
    await world.gone.wait()
    await world.until_free("/files/quick")


async def test_a_composite_holds_its_place_until_it_has_answered(world: World) -> None:
    held = asyncio.get_running_loop().create_task(world.status("/composed"))
    await world.began.wait()
    assert await world.status("/composed") == 429
    world.go_on.set()
    assert await held == 200
    assert await world.status("/composed") == 200


async def test_a_websocket_holds_its_place_until_it_is_closed(world: World) -> None:
    socket = await world.session.ws_connect(world.url + "/files/chat")
    await socket.send_str("hello")
    assert (await socket.receive()).type == WSMsgType.TEXT
    assert await world.status("/files/quick") == 429
    await socket.close()
    await world.until_free("/files/quick")
