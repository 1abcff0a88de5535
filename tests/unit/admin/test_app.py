from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from proxy.admin.app import make_admin
from proxy.cache.store import Stored, StoreUnavailable
from proxy.gateway import Gateway
from proxy.observe.metrics import Metrics
from proxy.policy.freshness import Terms

ROUTES = "version: 1\nupstreams: {u: 'http://127.0.0.1:1'}\nroutes: [{name: a, match: GET /a, proxy: u, summary: s}]\n"


class Admin:
    def __init__(self, config: Path, gateway: Gateway) -> None:
        self.config = config
        self.gateway = gateway
        self.ready = True
        self.client: Any = None


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Admin]:
    config = tmp_path / "routes.yaml"
    config.write_text(ROUTES)
    metrics = Metrics()
    gateway = Gateway(config, [metrics], env={})
    await gateway.load("start")
    admin = Admin(config, gateway)
    async with TestClient(TestServer(make_admin(gateway, metrics, lambda: admin.ready))) as client:
        admin.client = client
        yield admin
    await gateway.close()


async def test_healthz_says_that_the_process_lives(admin: Admin) -> None:
    response = await admin.client.get("/healthz")
    assert response.status == 200
    assert (await response.json())["status"] == "ok"


async def test_readyz_says_whether_requests_are_welcome(admin: Admin) -> None:
    assert (await admin.client.get("/readyz")).status == 200
    admin.ready = False
    response = await admin.client.get("/readyz")
    assert response.status == 503
    assert (await response.json())["status"] == "draining"


async def test_a_refused_configuration_is_told_and_does_not_make_it_unready(admin: Admin) -> None:
    admin.config.write_text(ROUTES.replace("proxy: u", "proxy: v"))
    assert (await admin.client.post("/api/reload")).status == 422
    response = await admin.client.get("/readyz")
    assert response.status == 200
    config = (await response.json())["config"]
    assert (config["status"], config["generation"]) == ("refused", 1)
    assert config["problems"][0]["code"] == "unknown-upstream"
    assert config["failed_at"]


async def test_a_reload_answers_with_the_new_generation(admin: Admin) -> None:
    response = await admin.client.post("/api/reload")
    assert (response.status, await response.json()) == (200, {"generation": 2, "routes": 1})


async def test_a_refused_reload_is_a_problem_document(admin: Admin) -> None:
    admin.config.write_text("version: 2")
    response = await admin.client.post("/api/reload")
    assert (response.status, response.content_type) == (422, "application/problem+json")
    body = await response.json()
    assert body["status"] == 422
    assert body["problems"]


async def test_metrics_are_prometheus_text(admin: Admin) -> None:
    response = await admin.client.get("/metrics")
    assert response.content_type == "text/plain"
    assert "proxy_config_generation 1.0" in await response.text()


async def test_routes_are_listed(admin: Admin) -> None:
    body = await (await admin.client.get("/api/routes")).json()
    assert body["generation"] == 1
    assert [(route["name"], route["upstreams"], route["summary"]) for route in body["routes"]] == [("a", ["u"], "s")]


async def test_the_state_of_the_configuration_has_its_warnings(admin: Admin) -> None:
    body = await (await admin.client.get("/api/config")).json()
    assert (body["status"], body["warnings"]) == ("current", [])


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
async def test_a_web_page_cannot_reload(headers: dict[str, str], admin: Admin) -> None:
    response = await admin.client.post("/api/reload", headers=headers)
    assert response.status == 403
    assert admin.gateway.current.number == 1


async def test_a_mended_file_is_current_again(admin: Admin) -> None:
    admin.config.write_text("version: 2")
    assert (await admin.client.post("/api/reload")).status == 422
    admin.config.write_text(ROUTES)
    assert (await admin.client.post("/api/reload")).status == 200
    config = (await (await admin.client.get("/readyz")).json())["config"]
    assert (config["status"], config["generation"]) == ("current", 2)
    assert "problems" not in config
    assert "failed_at" not in config


async def test_readyz_names_what_takes_a_restart(admin: Admin) -> None:
    admin.config.write_text(ROUTES + "server: {max_target: 4KiB}\n")
    assert (await admin.client.post("/api/reload")).status == 200
    config = (await (await admin.client.get("/readyz")).json())["config"]
    assert config["needs_restart"] == ["server.max_target"]


async def test_a_page_of_the_listener_itself_may_reload(admin: Admin) -> None:
    response = await admin.client.post("/api/reload", headers={"Sec-Fetch-Site": "same-origin"})
    assert response.status == 200


async def test_a_reload_is_never_a_get(admin: Admin) -> None:
    assert (await admin.client.get("/api/reload")).status == 405
    assert admin.gateway.current.number == 1


async def test_routes_are_those_that_serve_and_not_those_of_a_refused_file(admin: Admin) -> None:
    admin.config.write_text(ROUTES.replace("name: a", "name: b").replace("proxy: u", "proxy: v"))
    assert (await admin.client.post("/api/reload")).status == 422
    body = await (await admin.client.get("/api/routes")).json()
    assert [route["name"] for route in body["routes"]] == ["a"]


KEEPING = ROUTES.replace("proxy: u,", "proxy: u, cache: {},")


@pytest.mark.parametrize("what", [{"route": "a"}, {"key": "h/a"}, {"tag": "x"}])
async def test_a_purge_says_how_many_answers_it_took(what: dict[str, str], admin: Admin) -> None:
    admin.config.write_text(KEEPING)
    await admin.gateway.load("test")
    kept = Stored(200, [], b"", Terms(age_s=0.0, fresh_s=60.0), 0.0)
    await admin.gateway.answers.put("k", kept, ("route:a", "key:h/a", "tag:x"), 0, 0.0, 60.0)
    response = await admin.client.post("/api/cache/purge", json=what)
    assert (response.status, await response.json()) == (200, {"purged": 1})
    assert await (await admin.client.post("/api/cache/purge", json=what)).json() == {"purged": 0}


@pytest.mark.parametrize(
    "body,status",
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"route": 1}', 400),
        (b'{"route": "a", "tag": "b"}', 400),
        (b'{"all": "a"}', 400),
        (b'{"key": "a"}', 400),
        (b'{"route": "a"}', 404),  # there is one, but it keeps nothing
        (b'{"route": "b"}', 404),
    ],
)
async def test_what_is_no_purge_is_a_problem_document(body: bytes, status: int, admin: Admin) -> None:
    response = await admin.client.post("/api/cache/purge", data=body)
    assert (response.status, response.content_type) == (status, "application/problem+json")
    assert (await response.json())["status"] == status


async def test_a_purge_that_nobody_can_vouch_for_is_a_503(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def purge(tag: str) -> int:
        raise StoreUnavailable("the cache does not answer")

    monkeypatch.setattr(admin.gateway.answers, "purge", purge)
    response = await admin.client.post("/api/cache/purge", json={"tag": "x"})
    assert (response.status, (await response.json())["detail"]) == (503, "the cache does not answer")


async def test_a_web_page_cannot_purge(admin: Admin) -> None:
    response = await admin.client.post("/api/cache/purge", json={"tag": "x"}, headers={"Origin": "http://evil.example"})
    assert response.status == 403
