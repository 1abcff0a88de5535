from hashlib import sha256
from typing import Any

import pytest

from proxy.errors import Unauthorized
from proxy.message import Request, Response
from proxy.plan.auth import ApiKeysPlan, AuthPlan, ForwardPlan
from proxy.testing.identity import Said
from proxy.testing.requests import single_request

KEYS = ApiKeysPlan(name="k", header="X-Key", query=None, holders={sha256(b"1").digest(): {"sub": "a"}})
ASKED = ForwardPlan(name="f", upstream="u", target="/", asks=(), passes=(), tells=(), claims=(), timeout_s=1)


async def inner(request: Request) -> Response:
    return Response(200, body=str(request.claims).encode())


async def ask(claims: Any, *providers: Any, **headers: str) -> bytes:
    layer = Said(claims).layer(AuthPlan(providers=providers, headers=()))
    return (await layer(inner)(single_request("GET", "/", headers.items(), b"", 0))).body


async def test_claims_that_a_test_says_are_those_of_who_asks() -> None:
    assert await ask({"sub": "ann"}, ASKED) == b"{'sub': 'ann'}"
    assert await ask({}, KEYS) == b"{}"


async def test_without_claims_nobody_is_known_but_by_what_the_file_knows() -> None:
    with pytest.raises(Unauthorized):
        await ask(None, ASKED)
    assert await ask(None, ASKED, KEYS, **{"X-Key": "1"}) == b"{'sub': 'a'}"
