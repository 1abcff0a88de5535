from typing import Any

import pytest

HEAD = "version: 1\nupstreams:\n  u:\n    urls: [{url: 'http://a', weight: 100}, {url: 'http://b', weight: 50}]\n"
ROUTES = "routes: [{name: r, match: GET /r, proxy: {to: u}}]\n"


def test_weights_are_made_small(plan_of: Any) -> None:
    assert plan_of(HEAD + ROUTES).upstreams["u"].weights == (2, 1)


def test_two_are_chosen_between_unless_said_otherwise(plan_of: Any) -> None:
    assert plan_of(HEAD + ROUTES).upstreams["u"].balance == "p2c"


def test_the_expression_of_a_hash_gives_the_key_to_routes_that_ask(plan_of: Any) -> None:
    plan = plan_of(HEAD + "    balance: {hash: $.headers.x-user}\n" + ROUTES)
    assert plan.upstreams["u"].balance == "hash"
    assert plan.upstreams["u"].hash_roots == {"headers"}


@pytest.mark.parametrize(
    "line,code",
    [
        ("balance: {hash: always}", "bad-hash"),
        ("health: {path: healthz}", "bad-url"),
        ("health: {path: /h, interval: 1s, timeout: 2s}", "bad-duration"),
        ("outlier: {max_ejected: 10%}", "never-ejected"),
    ],
)
def test_what_cannot_work_is_a_problem(line: str, code: str, codes_of: Any) -> None:
    assert code in codes_of(f"{HEAD}    {line}\n{ROUTES}")


def test_an_upstream_that_is_resolved_is_named_by_what_is_resolved(plan_of: Any) -> None:
    text = 'version: 1\nupstreams: {u: {dns: "http://catalog:8002"}}\nroutes: [{name: a, match: /, proxy: u}]\n'
    assert [one.host for one in plan_of(text).upstreams["u"].named] == ["catalog"]


def test_srv_records_are_looked_for_by_the_name_of_a_url(plan_of: Any) -> None:
    text = 'version: 1\nupstreams: {u: {srv: "http://_http._tcp.shop"}}\nroutes: [{name: a, match: /, proxy: u}]\n'
    plan = plan_of(text).upstreams["u"]
    assert (plan.srv, plan.dns.host) == (True, "_http._tcp.shop")


def test_an_upstream_has_one_kind_of_address(problems_of: Any) -> None:
    text = "version: 1\nupstreams: {u: {dns: http://u, srv: http://s}}\nroutes: [{name: a, match: /, proxy: u}]\n"
    assert [problem.code for problem in problems_of(text)] == ["conflicting-keys"]


def test_srv_records_need_a_package(problems_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.plan.compile.find_spec", lambda name: None)
    text = "version: 1\nupstreams: {u: {srv: http://s}}\nroutes: [{name: a, match: /, proxy: u}]\n"
    assert [problem.code for problem in problems_of(text)] == ["missing-extra"]
