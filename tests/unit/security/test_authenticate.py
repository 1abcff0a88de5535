from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import Forbidden, Unauthorized
from proxy.message import Request, Response
from proxy.plan.auth import Claims
from proxy.policy.jws import TokenRefused
from proxy.security.authenticate import authenticated, keep_private
from proxy.security.credentials import AnsweredInstead


def provider(result: Claims | Exception | None) -> Any:
    async def identify(request: Request) -> Claims | None:
        if isinstance(result, Exception):
            raise result
        return result

    return identify, 'Bearer realm="x"'


async def inner(request: Request) -> Response:
    return Response(200, body=str(request.claims).encode())


async def test_the_first_who_knows_decides(request_of: Any) -> None:
    providers = [provider(None), provider(TokenRefused("bad")), provider({"sub": "a"}), provider({"sub": "b"})]
    assert (await authenticated(providers, ())(inner)(request_of())).body == b"{'sub': 'a'}"


async def test_whom_nobody_knows_is_told_what_would_do(request_of: Any) -> None:
    with pytest.raises(Unauthorized) as missing:
        await authenticated([provider(None), provider(None)], ())(inner)(request_of())
    assert missing.value.headers["WWW-Authenticate"] == 'Bearer realm="x", Bearer realm="x"'
    with pytest.raises(Unauthorized, match="it has expired") as refused:
        await authenticated([provider(TokenRefused("it has expired"))], ())(inner)(request_of())
    assert refused.value.headers["WWW-Authenticate"] == 'Bearer realm="x", error="invalid_token"'


async def test_an_error_of_one_provider_stands_only_where_no_other_knows(request_of: Any) -> None:
    with pytest.raises(Forbidden):
        await authenticated([provider(Forbidden("no")), provider(None)], ())(inner)(request_of())
    assert await authenticated([provider(Forbidden("no")), provider({"sub": "a"})], ())(inner)(request_of())


async def test_an_answer_of_a_providers_own_stands_where_no_other_knows(request_of: Any) -> None:
    page = AnsweredInstead(Response(302))
    providers = [provider(page), provider(TokenRefused("bad")), provider(AnsweredInstead(Response(303)))]
    assert await authenticated(providers, ())(inner)(request_of()) is page.response
    assert (await authenticated([provider(page), provider({"sub": "a"})], ())(inner)(request_of())).status == 200


@pytest.mark.parametrize(
    "said,kept",
    [
        ([], "private"),
        (["public, max-age=60", "S-MaxAge=9"], "private, max-age=60"),
        (["public, s-maxage=60, immutable"], "private, immutable"),
        (['private="x"'], "private"),
        (["No-Store"], "No-Store"),
    ],
)
def test_no_shared_cache_may_keep_what_is_for_one(said: list[str], kept: str) -> None:
    response = Response(200, CIMultiDict([("Cache-Control", one) for one in said]))
    keep_private(response, ())
    assert response.headers.getall("Cache-Control") == [kept]


def test_answers_vary_with_the_credential_and_nobody_is_told_otherwise() -> None:
    response = Response(200, CIMultiDict({"Vary": "Accept", "CDN-Cache-Control": "max-age=9"}))
    keep_private(response, ("X-API-Key", "accept"))
    assert response.headers.getall("Vary") == ["Accept, X-API-Key"]
    assert "CDN-Cache-Control" not in response.headers
    anything = Response(200, CIMultiDict({"Vary": "*"}))
    keep_private(anything, ("X-API-Key",))
    assert anything.headers["Vary"] == "*"
