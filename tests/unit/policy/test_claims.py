from typing import Any

import pytest

from proxy.policy.claims import Rules, check_claims, scopes_of
from proxy.policy.jws import TokenRefused

RULES = Rules(frozenset({"https://idp/"}), frozenset({"shop"}), 30)
GOOD: dict[str, Any] = {"iss": "https://idp/", "aud": "shop", "exp": 1000, "nbf": 900}


def test_claims_hold_until_they_expire_and_the_leeway_is_over() -> None:
    assert check_claims(GOOD, RULES, 950) == 1030
    assert check_claims({**GOOD, "aud": ["other", "shop"]}, RULES, 1029) == 1030


@pytest.mark.parametrize(
    "changes,now,why",
    [
        ({}, 1030, "expired"),
        ({}, 869, "not valid yet"),
        ({"exp": None}, 950, "never expires"),
        ({"exp": "1000"}, 950, "exp is not a time"),
        ({"exp": True}, 950, "exp is not a time"),
        ({"nbf": "soon"}, 950, "nbf is not a time"),
        ({"iss": "https://evil/"}, 950, "issuer"),
        ({"iss": ["https://idp/"]}, 950, "issuer"),
        ({"iss": None}, 950, "issuer"),
        ({"aud": None}, 950, "somebody else"),
        ({"aud": "shopping"}, 950, "somebody else"),
        ({"aud": [["shop"]]}, 950, "somebody else"),
        ({"aud": {"shop": 1}}, 950, "somebody else"),
    ],
)
def test_claims_that_do_not_hold(changes: dict[str, Any], now: float, why: str) -> None:
    with pytest.raises(TokenRefused, match=why):
        check_claims({**GOOD, **changes}, RULES, now)


def test_a_token_for_somebody_is_refused_where_nobody_is_named() -> None:
    nobody = Rules(frozenset(), frozenset(), 0)
    assert check_claims({"exp": 10}, nobody, 0) == 10
    with pytest.raises(TokenRefused, match="somebody else"):
        check_claims({"exp": 10, "aud": "shop"}, nobody, 0)


@pytest.mark.parametrize(
    "claims,scopes",
    [
        ({"scope": "a b"}, {"a", "b"}),
        ({"scp": ["a", 1]}, {"a"}),
        ({"scp": "a"}, {"a"}),
        ({}, set()),
        ({"scope": 1}, set()),
    ],
)
def test_scopes(claims: dict[str, Any], scopes: set[str]) -> None:
    assert scopes_of(claims) == scopes
