from typing import Any

import pytest

from proxy.errors import Forbidden
from proxy.expr.cel import compile_cel
from proxy.expr.scope import Vocabulary
from proxy.message import Request, Response
from proxy.plan.auth import AllowPlan
from proxy.security.allow import allowing


async def inner(request: Request) -> Response:
    return Response(200)


def layer(text: str) -> Any:
    expression = compile_cel(text, Vocabulary())
    return allowing(AllowPlan(evaluate=expression.evaluate, roots=frozenset(one.root for one in expression.reads)))(
        inner
    )


async def test_for_whom_the_condition_holds_passes(request_of: Any) -> None:
    assert (await layer("'a' in claims.roles")(request_of(claims={"roles": ["a"]}))).status == 200


@pytest.mark.parametrize("text", ["'a' in claims.roles", "claims.roles", "claims.sub == 'x'", "size(claims.roles)"])
@pytest.mark.parametrize("claims", [None, {}, {"roles": []}, {"roles": "a"}])
async def test_all_others_do_not_and_neither_what_cannot_be_computed(text: str, claims: Any, request_of: Any) -> None:
    with pytest.raises(Forbidden):
        await layer(text)(request_of(claims=claims))
