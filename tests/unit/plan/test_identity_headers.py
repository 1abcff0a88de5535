from typing import Any

import pytest

AUTH = "auth: {k: {type: api_key, keys: {a: {secret: s}}}, f: {type: forward, to: 'u:/v', upstream_headers: [X-Sso]}}"


def names(plan_of: Any, routes: str, server: str = "") -> frozenset[str]:
    text = f"version: 1\nserver: {{{server}}}\nupstreams: {{u: http://u}}\n{AUTH}\nroutes: [{routes}]\n"
    found: frozenset[str] = plan_of(text).identity_headers
    return found


@pytest.mark.parametrize(
    "route,name",
    [
        ("proxy: {to: u, headers: {request: {set: {X-User: $.claims.sub}}}}", "x-user"),
        ("proxy: {to: u, headers: {request: {add: {X-User: 'u-${claims.sub}'}}}}", "x-user"),
        ("calls: {c: {get: 'u:/', headers: {X-Id: $.claims.id}}}, merge: $.c", "x-id"),
        ("proxy: {to: u, headers: {request: {set: {X-Free: $.headers.x-a}}}}", None),
        ("reply: {body: $.claims}", None),
    ],
)
def test_what_claims_are_written_into_tells_who_asks(route: str, name: str | None, plan_of: Any) -> None:
    found = names(plan_of, f"{{name: r, match: GET /, auth: k, {route}}}")
    assert found == (frozenset() if name is None else {name, name.replace("-", "_")})


def test_what_an_upstream_that_decides_says_is_such_too(plan_of: Any) -> None:
    assert "x-sso" in names(plan_of, "{name: r, match: GET /, auth: f, reply: {}}")


def test_it_can_be_said(plan_of: Any) -> None:
    route = "{name: r, match: GET /, auth: k, proxy: {to: u, headers: {request: {set: {X-User: $.claims.sub}}}}}"
    assert names(plan_of, route, "identity_headers: [Remote-User]") == {"remote-user", "remote_user"}
    assert names(plan_of, route, "identity_headers: []") == frozenset()
