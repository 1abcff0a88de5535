from typing import Any

import pytest

from proxy.plan.auth import LoginPlan, OidcPlan

SECRET = "0123456789abcdef0123456789abcdef"


def text(oidc: str, route: str = "{name: me, match: GET /me, auth: web, reply: {body: $.claims}}") -> str:
    return f"version: 1\nupstreams: {{u: http://u}}\nauth: {{web: {{type: oidc, {oidc}}}}}\nroutes: [{route}]\n"


GOOD = f"issuer: 'https://idp', client_id: shop, session: {{secret: {SECRET}}}"


def test_an_issuer_a_name_and_a_secret_are_enough(plan_of: Any) -> None:
    (plan,) = plan_of(text(GOOD)).routes[0].auth.providers
    assert isinstance(plan, OidcPlan)
    assert plan.scopes == ("openid", "profile", "email")
    assert (plan.callback, plan.logout, plan.cookie, plan.lifetime_s) == (
        "/oauth2/callback",
        "/oauth2/logout",
        "session",
        8 * 3600,
    )
    assert (plan.kept, plan.client_secret, plan.base_url) == (None, None, None)
    assert SECRET not in repr(plan)
    assert len(plan.keys[0]) == 32


def test_its_paths_are_routes_of_their_own(plan_of: Any) -> None:
    plan = plan_of(text(f"{GOOD}, callback: /in, logout: /out"))
    found = {
        route.name: (route.pattern, route.action.step) for route in plan.routes if isinstance(route.action, LoginPlan)
    }
    assert found == {"web.callback": ("/in", "callback"), "web.logout": ("/out", "logout")}
    assert plan.router.find("GET", "/in", "", {}, "").value.name == "web.callback"


def test_a_route_in_their_place_is_a_problem(codes_of: Any) -> None:
    assert codes_of(text(GOOD, "{name: mine, match: GET /oauth2/callback, reply: {}}")) == ["ambiguous-route"]


@pytest.mark.parametrize(
    "oidc,codes",
    [
        (f"client_id: shop, session: {{secret: {SECRET}}}", ["bad-url"]),
        (GOOD.replace("https://idp", "idp"), ["bad-url"]),
        (GOOD.replace("https://idp", "https://idp?x=1"), ["bad-url"]),
        (GOOD.replace("https://idp", "http://idp"), ["no-tls"]),
        (GOOD.replace("client_id: shop, ", ""), ["missing-key"]),
        ("issuer: 'https://idp', client_id: shop", ["missing-key"]),
        (GOOD.replace(SECRET, "short"), ["bad-secret"]),
        (GOOD.replace(SECRET, f"[{SECRET}, short]"), ["bad-secret"]),
        (f"{GOOD}, callback: oauth2", ["bad-url"]),
        (f"{GOOD}, logout: '/a/../b'", ["bad-url"]),
        (f"{GOOD}, base_url: 'https://shop/x'", ["bad-url"]),
        (f"{GOOD}, algorithms: [HS256]", ["bad-algorithm"]),
        (f"{GOOD}, jwks: 'https://idp'", ["conflicting-keys"]),
    ],
)
def test_what_is_wrong_is_named(oidc: str, codes: list[str], codes_of: Any) -> None:
    assert codes_of(text(oidc)) == codes


def test_answers_of_such_a_route_cannot_be_kept(codes_of: Any) -> None:
    assert codes_of(text(GOOD, "{name: a, match: GET /a, auth: web, cache: {ttl: 1m}, proxy: u}")) == [
        "conflicting-keys"
    ]


def test_the_package_that_is_missing_is_named(codes_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.plan.compile_oidc.find_spec", lambda name: None)
    assert codes_of(text(GOOD)) == ["missing-extra"]
