from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from proxy.errors import IssuerUnavailable
from proxy.security.discovery import Discovery, Issuer


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self.url = ""
        self.changes: dict[str, Any] = {}
        self.status = 200

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth?prompt=login",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            **self.changes,
        }
        return web.json_response(document, status=self.status)

    @property
    def discovery(self) -> Discovery:
        return Discovery(self.url, lambda: self.now)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    one = World()
    async with RawTestServer(one.serve) as server:
        one.url = str(server.make_url("")).rstrip("/")
        yield one


async def test_an_issuer_says_where_it_has_what_once_an_hour(world: Any) -> None:
    discovery = world.discovery
    for world.now in (0.0, 3599.0):
        issuer = await discovery.find()
    assert issuer == Issuer(f"{world.url}/auth?prompt=login", f"{world.url}/token", f"{world.url}/jwks")
    assert world.asked == ["/.well-known/openid-configuration"]
    world.changes = {"end_session_endpoint": f"{world.url}/end"}
    world.now = 3600.0
    assert (await discovery.find()).end_session == f"{world.url}/end"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "//evil"},
        {"jwks_uri": ["http://a"]},
        {"end_session_endpoint": "ftp://a"},
        {"authorization_endpoint": "http://a@evil/"},
        {"authorization_endpoint": "http://a/\r\nX: 1"},
    ],
)
async def test_a_document_that_is_not_the_issuers_own_is_not_believed(changes: dict[str, Any], world: Any) -> None:
    world.changes = changes
    with pytest.raises(IssuerUnavailable):
        await world.discovery.find()


async def test_what_is_known_stays_while_it_is_away_and_it_is_not_asked_by_everybody(world: Any) -> None:
    discovery = world.discovery
    world.status = 500
    for _ in range(3):
        with pytest.raises(IssuerUnavailable):
            await discovery.find()
    assert len(world.asked) == 1
    world.status, world.now = 200, 10.0
    known = await discovery.find()
    world.status, world.now = 500, 5000.0
    assert await discovery.find() == known
    assert len(world.asked) == 3
