from typing import Any

import pytest

from proxy.background import Background
from proxy.errors import Forbidden, KeysUnavailable
from proxy.plan.auth import JwtPlan
from proxy.policy.jws import TokenRefused
from proxy.security import jwt as module
from proxy.security.jwt import jwt
from proxy.security.keyring import KeyRing


def plan(**changes: Any) -> JwtPlan:
    given: dict[str, Any] = {
        "name": "j",
        "header": "Authorization",
        "cookie": None,
        "url": "x",
        "keys": None,
        "algorithms": frozenset({"ES256"}),
        "issuers": frozenset(),
        "audiences": frozenset(),
        "scopes": frozenset(),
        "leeway_s": 0.0,
        "refresh_s": 600.0,
        "cooldown_s": 0.001,
    }
    return JwtPlan(**{**given, **changes})


def bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


async def test_a_token_is_checked_once_and_remembered(
    issuer: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Background() as background:
        identify = jwt(plan(), KeyRing(issuer.url, background))
        token = issuer.token()
        claims = await identify(request_of(bearer(token)))
        assert claims is not None
        assert claims["sub"] == "ann"
        monkeypatch.setattr(module, "open_token", None)
        assert await identify(request_of(bearer(token))) is claims
        assert await identify(request_of()) is None


async def test_a_token_that_is_remembered_still_expires(
    issuer: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(module, "unix_seconds", lambda: now)
    async with Background() as background:
        identify = jwt(plan(), KeyRing(issuer.url, background))
        token = issuer.token(exp=1010)
        assert await identify(request_of(bearer(token)))
        now = 1010.0
        with pytest.raises(TokenRefused, match="expired"):
            await identify(request_of(bearer(token)))


async def test_no_more_tokens_are_remembered_than_said(
    issuer: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    async with Background() as background:
        identify: Any = jwt(plan(), KeyRing(issuer.url, background))
        for number in range(10):
            await identify(request_of(bearer(issuer.token(n=number))))
        assert [claims["n"] for claims, _ in identify.__self__._good.values()] == [7, 8, 9]


async def test_a_new_key_is_found_and_what_the_old_one_signed_is_refused(issuer: Any, request_of: Any) -> None:
    async with Background() as background:
        ring = KeyRing(issuer.url, background)
        identify = jwt(plan(cooldown_s=0.0), ring)
        old = issuer.token()
        assert await identify(request_of(bearer(old)))
        issuer.rotate("k2")
        assert await identify(request_of(bearer(issuer.token())))
        with pytest.raises(TokenRefused, match="not known"):
            await identify(request_of(bearer(old)))


async def test_where_no_key_was_ever_got_nothing_can_be_said_of_a_token(issuer: Any, request_of: Any) -> None:
    async with Background() as background:
        identify = jwt(plan(), KeyRing("http://127.0.0.1:1/", background))
        with pytest.raises(KeysUnavailable):
            await identify(request_of(bearer(issuer.token())))
        with pytest.raises(TokenRefused):  # this one is none, whatever the keys are
            await identify(request_of(bearer("x")))


async def test_scopes_are_needed_all_of_them(issuer: Any, request_of: Any) -> None:
    async with Background() as background:
        identify = jwt(plan(scopes=frozenset({"a", "b"})), KeyRing(issuer.url, background))
        assert await identify(request_of(bearer(issuer.token(scope="b c a"))))
        with pytest.raises(Forbidden) as refused:
            await identify(request_of(bearer(issuer.token(scope="a"))))
        assert 'error="insufficient_scope"' in refused.value.headers["WWW-Authenticate"]


async def test_a_token_stands_where_the_configuration_says(issuer: Any, request_of: Any) -> None:
    async with Background() as background:
        ring = KeyRing(issuer.url, background)
        token = issuer.token()
        in_cookie, in_header = jwt(plan(cookie="t"), ring), jwt(plan(header="X-Token"), ring)
        assert await in_cookie(request_of(("Cookie", f"a=b; t={token}")))
        assert await in_cookie(request_of(bearer(token))) is None
        with pytest.raises(TokenRefused, match="several"):
            await in_cookie(request_of(("Cookie", f"t={token}"), ("Cookie", "a=b; t=x")))
        assert await in_header(request_of(("X-Token", token)))
        assert await in_header(request_of(bearer(token))) is None
