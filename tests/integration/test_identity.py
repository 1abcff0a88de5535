"""Who we are to our upstreams, over real sockets: a token endpoint that is strict, slow, or gone."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from aiohttp.test_utils import RawTestServer

CONFIG = """
version: 1
upstreams:
  api:
    urls: ["${env.API}"]
    headers: {X-Gateway: us}
    identity:
      type: client_credentials
      token_url: "${env.IDP}/token"
      client_id: the gateway
      client_secret: "a:b"
      scopes: read
routes:
  - {name: composed, match: GET /composed, calls: {x: {get: "api:/x"}}, merge: $.x}
  - {name: passed, match: "/passed/{rest:path}", proxy: api}
"""


class World:
    def __init__(self) -> None:
        self.good = "t1"
        self.tokens = 0
        self.status = 200
        self.slow: asyncio.Event | None = None
        self.seen: list[Any] = []
        self.url = ""
        self.session: Any = None

    async def issue(self, request: web.BaseRequest) -> web.StreamResponse:
        self.tokens += 1
        if self.slow is not None:
            await self.slow.wait()
        form = parse_qsl(await request.text())
        fits = (
            request.method == "POST"
            and request.path == "/token"
            and request.headers.get("Authorization") == "Basic dGhlK2dhdGV3YXk6YSUzQWI="
            and form == [("grant_type", "client_credentials"), ("scope", "read")]
        )
        if not fits or self.status != 200:
            return web.json_response({"error": "invalid_client"}, status=400 if self.status == 200 else self.status)
        return web.json_response({"access_token": self.good, "token_type": "Bearer", "expires_in": 3600})

    async def api(self, request: web.BaseRequest) -> web.StreamResponse:
        said = request.headers.getall("Authorization", [])
        self.seen.append((request.path, said, request.headers.getall("X-Gateway", []), len(await request.read())))
        if said != [f"Bearer {self.good}"]:
            return web.Response(status=401)
        return web.json_response([1])

    async def ask(self, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(options.pop("method", "GET"), self.url + path, **options) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None


@pytest.fixture
async def world(serving: Any, tmp_path: Path) -> Any:
    world = World()
    (tmp_path / "routes.yaml").write_text(CONFIG)
    async with RawTestServer(world.issue) as idp, RawTestServer(world.api) as api:
        env = {"API": str(api.make_url("")).rstrip("/"), "IDP": str(idp.make_url("")).rstrip("/")}
        async with (
            serving(tmp_path / "routes.yaml", env) as world.url,
            ClientSession(cookie_jar=DummyCookieJar(), connector=TCPConnector(limit=100)) as world.session,
        ):
            yield world


async def test_a_thousand_requests_need_one_token(world: World) -> None:
    paths = ["/composed", "/passed/x"] * 500
    answers = await asyncio.gather(*[world.ask(path) for path in paths])
    assert Counter(status for status, _ in answers) == {200: 1000}
    assert world.tokens == 1


async def test_what_a_client_says_that_it_is_does_not_reach_the_upstream(world: World) -> None:
    forged = {"Authorization": "Bearer client", "X-Gateway": "forged"}
    await world.ask("/passed/x", headers=forged)
    await world.ask("/composed", headers=forged)
    assert {(tuple(said), tuple(gateway)) for _, said, gateway, _ in world.seen} == {(("Bearer t1",), ("us",))}


async def test_a_body_goes_along_with_the_token(world: World) -> None:
    body = b"x" * 300_000
    assert (await world.ask("/passed/x", method="POST", data=body))[0] == 200
    assert world.seen[-1][3] == len(body)


async def test_while_nobody_issues_tokens_the_upstream_is_not_asked(world: World) -> None:
    world.status = 500
    for path in ("/composed", "/passed/x"):
        status, problem = await world.ask(path)
        assert (status, problem["code"]) == (503, "token_unavailable")
        assert "token" in problem["detail"]
        assert "127.0.0.1" not in str(problem)
    assert world.seen == []
    assert world.tokens == 1


async def test_who_goes_away_while_a_token_is_got_does_not_end_that(world: World) -> None:
    world.slow = asyncio.Event()
    gone = asyncio.get_running_loop().create_task(world.ask("/composed"))
    async with asyncio.timeout(10):
        while not world.tokens:  # noqa: ASYNC110 – it is asked by the gateway
            await asyncio.sleep(0.01)
    stays = asyncio.get_running_loop().create_task(world.ask("/passed/x"))
    await asyncio.sleep(0)
    gone.cancel()
    world.slow.set()
    assert (await stays)[0] == 200
    assert world.tokens == 1
