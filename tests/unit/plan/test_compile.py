from typing import Any

import pytest

from proxy.plan.compile import parse_endpoint
from proxy.plan.upstreams import Endpoint
from proxy.problems import Invalid

HEAD = "version: 1\nupstreams: {u: http://u}\n"


@pytest.mark.parametrize(
    "url,endpoint",
    [
        ("http://u", Endpoint("http", "u", 80)),
        ("https://u", Endpoint("https", "u", 443)),
        ("http://u:8001/", Endpoint("http", "u", 8001)),
        ("http://u/base/path/", Endpoint("http", "u", 80, "/base/path")),
        ("http://[::1]:9", Endpoint("http", "::1", 9)),
    ],
)
def test_an_upstreams_url_becomes_an_endpoint(url: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "u:8001",
        "ftp://u",
        "http://",
        "http://u:x",
        "http://u?a=b",
        "http://u#a",
        "http://u/../x",
        "http://u/a//b",
        "http://u$",
        "",
    ],
)
def test_what_is_not_the_url_of_an_upstream_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_endpoint(url)
    assert refused.value.code == "bad-url"


@pytest.mark.parametrize("url", ["http://ann:hunter2@u", "http:/ann:hunter2@u", "http:ann:hunter2@u", "ann:hunter2@u"])
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_endpoint(url)
    assert "hunter2" not in refused.value.message + refused.value.hint


def test_a_route_takes_what_it_does_not_say_from_the_defaults(plan_of: Any) -> None:
    plan = plan_of(
        HEAD + "defaults: {route: {timeout: 3s, max_body: 1KiB}}\nroutes:\n"
        "  - {name: a, match: GET /a, proxy: u}\n  - {name: b, match: GET /b, proxy: u, timeout: 1s, max_body: 2KiB}\n"
    )
    assert [(route.timeout_s, route.max_body) for route in plan.routes] == [(3, 1024), (1, 2048)]


def test_without_defaults_a_route_has_thirty_seconds(plan_of: Any) -> None:
    assert plan_of(HEAD + "routes: [{name: a, match: /a, proxy: u}]").routes[0].timeout_s == 30


@pytest.mark.parametrize(
    "route,code",
    [
        ("{name: a, match: /a}", "no-action"),
        ("{name: a, match: /a, merge: {}}", "missing-key"),
        ("{name: a, match: /a, calls: }", "missing-key"),
        ("{name: a, match: /a, proxy: }", "missing-key"),
        ("{name: a, match: /a, reply: }", "missing-key"),
        ("{name: a, match: /a, redirect: }", "missing-key"),
        ("{name: a, match: /a, proxy: u, reply: {}}", "conflicting-keys"),
        ("{name: a, match: /a, proxy: u, merge: {}}", "conflicting-keys"),
        ("{name: a, match: /a, proxy: v}", "unknown-upstream"),
        ("{name: a, match: get /a, proxy: u}", "bad-method"),
        ("{name: a, match: CONNECT /a, proxy: u}", "bad-method"),
        ("{name: a, match: {path: /a, methods: []}, proxy: u}", "bad-method"),
        ("{name: a, match: {path: /a, host: 'a:80'}, proxy: u}", "bad-host"),
        ("{name: a, match: '/{a', proxy: u}", "bad-pattern"),
    ],
)
def test_a_route_that_cannot_work_is_a_problem(route: str, code: str, codes_of: Any) -> None:
    assert codes_of(HEAD + f"routes: [{route}]") == [code]


def test_names_are_unique_and_routes_do_not_overlap(codes_of: Any) -> None:
    assert codes_of(HEAD + "routes: [{name: a, match: '/a/{x}', proxy: u}, {name: a, match: '/a/{y}', proxy: u}]") == [
        "duplicate-name",
        "ambiguous-route",
    ]


@pytest.mark.parametrize(
    "text,code",
    [
        ("server: {trusted_proxies: [10.0.0.0/33]}", "bad-address"),
        ("upstreams: {u: {urls: ['http://u'], forward_headers: ['a b']}}", "bad-header"),
        ("upstreams: {'a b': 'http://u'}", "bad-name"),
        ("upstreams: {u: 'localhost:80'}", "bad-url"),
    ],
)
def test_the_rest_of_the_file_is_checked_too(text: str, code: str, codes_of: Any) -> None:
    assert codes_of(f"version: 1\n{text}\n") == [code]
