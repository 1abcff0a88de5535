from hashlib import sha256
from typing import Any

import pytest

from proxy.background import Background
from proxy.errors import Unauthorized
from proxy.message import Request, Response
from proxy.plan.auth import ApiKeysPlan, AuthPlan, BasicPlan, JwtPlan
from proxy.security.providers import Providers
from proxy.security.sources import Sources

KEYS = ApiKeysPlan(name="k", header="X-Key", query=None, holders={sha256(b"1").digest(): {"sub": "a"}})
USERS = BasicPlan(name="b", users={})
TOKENS = JwtPlan(
    name="j",
    header="Authorization",
    cookie=None,
    url="http://127.0.0.1:1/",
    keys=None,
    algorithms=frozenset({"RS256"}),
    issuers=frozenset(),
    audiences=frozenset(),
    scopes=frozenset(),
    leeway_s=0,
    refresh_s=60,
    cooldown_s=60,
)


async def inner(request: Request) -> Response:
    return Response(200)


async def test_every_type_has_its_challenge_and_any_one_will_do(request_of: Any) -> None:
    layer = Providers(Sources(Background()), {}, {}, lambda event: None).layer(
        AuthPlan(providers=(KEYS, USERS, TOKENS), headers=("X-Key",))
    )
    assert (await layer(inner)(request_of(("X-Key", "1")))).headers["Vary"] == "X-Key"
    with pytest.raises(Unauthorized) as refused:
        await layer(inner)(request_of())
    assert refused.value.headers["WWW-Authenticate"] == (
        'ApiKey realm="k", Basic realm="b", charset="UTF-8", Bearer realm="j"'
    )
