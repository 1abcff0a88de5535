import asyncio
from pathlib import Path
from typing import Any

import pytest

from proxy.config.route_tests import Stub
from proxy.errors import UpstreamFailed, UpstreamUnreachable
from proxy.loading import load
from proxy.testing.stubs import StubUpstream, only
from proxy.upstream.exchange import UpstreamRequest, UpstreamResponse

REQUEST = UpstreamRequest(method="GET", target="/", headers=[], body=None, max_body=1)


def ask(*stubs: Any, times: int = 1) -> list[UpstreamResponse]:
    upstream = StubUpstream("x", [Stub.model_validate(stub) for stub in stubs])

    async def work() -> list[UpstreamResponse]:
        return [await upstream.send(REQUEST) for _ in range(times)]

    answers = asyncio.run(work())
    assert upstream.requests == times
    return answers


def test_stubs_are_used_in_turn_and_the_last_one_repeats() -> None:
    assert [answer.body for answer in ask({"json": 1}, {"json": 2}, times=3)] == [b"1", b"2", b"2"]


def test_a_stub_has_a_status_headers_and_a_body_that_may_be_any_text() -> None:
    (answer,) = ask({"status": 503, "headers": {"X-A": "b", "Content-Type": "text/x"}, "body": "{broken"})
    assert (answer.status, answer.body) == (503, b"{broken")
    assert dict(answer.headers) == {"Content-Type": "text/x", "X-A": "b"}


@pytest.mark.parametrize("stub,body", [({"json": None}, b"null"), ({}, b"")])
def test_a_written_null_is_a_body_and_nothing_is_none(stub: Any, body: bytes) -> None:
    assert ask(stub)[0].body == body


def test_a_dropped_connection_is_unreachable() -> None:
    with pytest.raises(UpstreamUnreachable):
        ask({"drop": True})


def test_without_a_stub_a_call_fails() -> None:
    with pytest.raises(UpstreamFailed):
        ask()


def test_every_call_of_the_route_gets_an_upstream_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {u: {urls: ['http://u'], forward_headers: [cookie]}}\nroutes:\n"
        "  - {name: a, match: /a, calls: {x: {get: 'u:/x'}, y: {get: 'u:/y'}}}\n  - {name: b, match: /b, proxy: u}\n"
    )
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    alone = only(plan, plan.routes[0])
    assert set(alone.upstreams) == {"x", "y"}
    assert alone.upstreams["x"].forward_headers == ("cookie",)
    assert set(only(plan, plan.routes[1]).upstreams) == {"u"}


def test_a_test_of_a_split_has_its_variants_and_mirrors_nothing(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {u: http://u, v: http://v, w: http://w}\n"
        "routes: [{name: a, match: /a, proxy: {split: {to: {u: 1, v: 1}}, mirror: w}}]"
    )
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    alone = only(plan, plan.routes[0])
    action: Any = alone.routes[0].action
    assert (set(alone.upstreams), action.mirror) == ({"u", "v"}, None)
