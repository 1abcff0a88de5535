from pathlib import Path
from typing import Any

import pytest

from proxy.errors import UpstreamUnreachable
from proxy.loading import load
from proxy.server.actions import Services
from proxy.upstream.exchange import Arrived, UpstreamResponse

TEXT = """
version: 1
upstreams: {u: http://u, v: http://v}
routes:
  - {name: composite, match: /c, calls: {a: {get: "u:/a", lazy: true}}, merge: 1}
  - {name: pass, match: /p, proxy: u}
  - {name: fixed, match: /f, reply: {body: hi}}
  - {name: gone, match: /g, redirect: /f}
  - {name: paged, match: /e, error_pages: {5xx: {body: sorry}}, calls: {a: {get: "u:/a"}}}
  - {name: split, match: /s, proxy: {split: {to: {u: 0, v: 1}}, mirror: u}}
"""


class NoUpstream:
    async def send(self, request: Any, /) -> Any:
        raise AssertionError

    def begin(self, request: Any, done: Any, /) -> Any:
        raise UpstreamUnreachable("gone")


class Answering(NoUpstream):
    async def open(self, request: Any, /) -> Any:
        return Arrived(UpstreamResponse.of(200, {}, b"v"))


@pytest.fixture
def services(tmp_path: Path) -> Services:
    (tmp_path / "routes.yaml").write_text(TEXT)
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    return Services(plan, {"u": NoUpstream(), "v": Answering()}, lambda event: None)


@pytest.mark.parametrize(
    "name,status,body",
    [
        ("composite", 200, b"1"),
        ("fixed", 200, b"hi"),
        ("gone", 308, b""),
        ("paged", 502, b"sorry"),
        ("split", 200, b"v"),
    ],
)
async def test_every_kind_of_route_has_its_service(
    name: str, status: int, body: bytes, services: Services, request_of: Any
) -> None:
    response = await services[name](request_of("/"))
    assert (response.status, response.body) == (status, body)


def test_a_service_is_made_when_it_is_first_asked_for(services: Services) -> None:
    assert len(services) == 0
    assert services["pass"] is services["pass"]
    assert len(services) == 1


def test_a_route_that_is_not_there_has_none(services: Services) -> None:
    with pytest.raises(KeyError):
        services["none"]


class Says:
    def __init__(self) -> None:
        self.asked = 0

    async def open(self, request: Any, /) -> Any:
        self.asked += 1
        return Arrived(UpstreamResponse.of(200, {"Cache-Control": "max-age=60"}, b"x"))


KEEPING = """
version: 1
upstreams: {u: http://u}
routes:
  - {name: kept, match: GET /a, cache: {}, proxy: u}
  - {name: changing, match: "PUT,POST /a", proxy: u}
  - {name: reading, match: GET /b, proxy: u}
"""


async def test_a_route_with_a_cache_keeps_and_one_that_may_change_something_forgets(
    tmp_path: Path, request_of: Any
) -> None:
    (tmp_path / "routes.yaml").write_text(KEEPING)
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    upstream: Any = Says()
    services = Services(plan, {"u": upstream}, lambda event: None)
    for name, method, asked in (
        ("kept", "GET", 1),
        ("kept", "GET", 1),
        ("changing", "PUT", 2),
        ("kept", "GET", 3),
        ("reading", "GET", 4),
        ("reading", "GET", 5),
    ):
        await services[name](request_of("/a", method=method))
        assert upstream.asked == asked


def test_without_a_cache_there_is_no_layer_for_one(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(KEEPING.replace("cache: {}, ", ""))
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    upstream: Any = Says()
    services = Services(plan, {"u": upstream}, lambda event: None)
    assert {services[name].__qualname__ for name in ("kept", "changing")} == {
        "passthrough_action.<locals>.pass_through"
    }
