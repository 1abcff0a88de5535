from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from proxy.plan.auth import ApiKeysPlan, BasicPlan
from proxy.policy.jws import TokenRefused
from proxy.security.credentials import api_keys, basic

HOLDERS = {sha256(b"k1").digest(): {"sub": "acme", "plan": "gold"}}
HEADER = api_keys(ApiKeysPlan(name="k", header="X-API-Key", query=None, holders=HOLDERS))
QUERY = api_keys(ApiKeysPlan(name="k", header=None, query="key", holders=HOLDERS))
BASIC = basic(BasicPlan(name="b", users={"ann": (sha256("pä:ss".encode()).digest(), {"sub": "ann"})}))


def said(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


async def test_a_key_says_whose_it_is(request_of: Any) -> None:
    assert await HEADER(request_of(("x-api-key", "k1"))) == {"sub": "acme", "plan": "gold"}
    assert await QUERY(request_of(query="a=1&key=k1")) == {"sub": "acme", "plan": "gold"}


async def test_where_no_credential_is_nobody_is_known(request_of: Any) -> None:
    assert await HEADER(request_of()) is None
    assert await QUERY(request_of()) is None
    assert await QUERY(request_of(query="a=1")) is None
    assert await BASIC(request_of()) is None
    assert await BASIC(request_of(("Authorization", "Bearer x"))) is None


@pytest.mark.parametrize("key", ["", "K1", "k1 ", "k", next(iter(HOLDERS)).hex(), "\udcff"])
async def test_a_wrong_key_is_refused(key: str, request_of: Any) -> None:
    with pytest.raises(TokenRefused):
        await HEADER(request_of(("X-API-Key", key)))


async def test_of_two_keys_none_is_believed(request_of: Any) -> None:
    with pytest.raises(TokenRefused, match="several"):
        await HEADER(request_of(("X-API-Key", "k1"), ("x-api-key", "k2")))
    with pytest.raises(TokenRefused, match="several"):
        await QUERY(request_of(query="key=k1&k%65y=k1"))
    with pytest.raises(TokenRefused, match="several"):
        await BASIC(request_of(("Authorization", said("ann:pä:ss")), ("Authorization", "Bearer x")))


async def test_a_user_is_known_by_the_password(request_of: Any) -> None:
    assert await BASIC(request_of(("Authorization", said("ann:pä:ss")))) == {"sub": "ann"}
    assert await BASIC(request_of(("authorization", said("ann:pä:ss").replace("Basic", "bASIC")))) == {"sub": "ann"}


@pytest.mark.parametrize(
    "value", [said("ann:"), said("ann"), said("bob:pä:ss"), said(":"), said(""), "Basic", "Basic !", "Basic /w=="]
)
async def test_wrong_users_and_passwords_are_refused(value: str, request_of: Any) -> None:
    with pytest.raises(TokenRefused):
        await BASIC(request_of(("Authorization", value)))
