from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from proxy.admin.guard import guards, is_loopback


@asynccontextmanager
async def admin(token: str | None, ready: int = 200) -> AsyncIterator[Any]:
    async def readyz(request: web.Request) -> web.Response:
        return web.json_response({"status": "ready", "secret": "details"}, status=ready)

    async def ok(request: web.Request) -> web.Response:
        return web.json_response("ok")

    app = web.Application(middlewares=guards(token))
    app.router.add_get("/readyz", readyz)
    app.router.add_route("*", "/{rest:.*}", ok)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize(
    "host,answer",
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
    ],
)
def test_which_hosts_only_this_machine_gets_to(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer secre"},
        {"Authorization": "Bearer secret2"},
        {"Authorization": "Basic secret"},
        {"Authorization": "secret"},
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/api/config", "/"])
async def test_who_has_no_token_gets_nothing(headers: dict[str, str], path: str) -> None:
    async with admin("secret") as client, client.get(path, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="admin"'


@pytest.mark.parametrize("value", ["Bearer secret", "bearer secret"])
async def test_who_has_it_is_served(value: str) -> None:
    async with admin("secret") as client, client.get("/metrics", headers={"Authorization": value}) as response:
        assert response.status == 200


@pytest.mark.parametrize("ready", [200, 503])
async def test_readiness_without_it_is_a_status_and_nothing_else(ready: int) -> None:
    async with admin("secret", ready) as client:
        async with client.get("/readyz") as response:
            assert response.status == ready
            assert "details" not in await response.text()
        async with client.get("/readyz", headers={"Authorization": "Bearer secret"}) as response:
            assert "details" in await response.text()
        async with client.post("/readyz") as response:
            assert response.status == 401


@pytest.mark.parametrize("host", ["localhost:8001", "127.0.0.1:8001", "[::1]:8001", "10.1.2.3", "LOCALHOST"])
async def test_without_a_token_this_machine_is_asked_by_its_own_name(host: str) -> None:
    async with admin(None) as client, client.get("/metrics", headers={"Host": host}) as response:
        assert response.status == 200


@pytest.mark.parametrize("host", ["rebound.example", "localhost.example:8001", "127.0.0.1.example", "[::1.example]"])
async def test_another_name_could_be_a_pages_own(host: str) -> None:
    async with admin(None) as client, client.get("/metrics", headers={"Host": host}) as response:
        assert response.status == 421


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
@pytest.mark.parametrize("token", [None, "secret"])
async def test_a_web_page_changes_nothing(headers: dict[str, str], token: str | None) -> None:
    given = {**headers, "Authorization": "Bearer secret"}
    async with admin(token) as client, client.post("/api/reload", headers=given) as response:
        assert response.status == 403
