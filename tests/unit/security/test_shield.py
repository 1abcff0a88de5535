from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import Forbidden, HeadersTooLarge, RouteNotFound, TargetTooLong
from proxy.message import Request, Response, Way
from proxy.plan.shield import BotsPlan, LimitsPlan
from proxy.security.shield import with_security_headers, within_limits, without_bots, without_identity_headers


async def inner(request: Request) -> Response:
    return Response(200, CIMultiDict({"X-Frame-Options": "SAMEORIGIN"}))


def test_what_is_not_configured_has_no_layer() -> None:
    assert (without_bots(None), within_limits(None), with_security_headers(())) == (None, None, None)


async def test_a_bot_is_refused_and_the_expressions_are_tried_once(request_of: Any) -> None:
    tried = []

    def denies(agent: str) -> bool:
        tried.append(agent)
        return "bot" in agent

    layer = without_bots(BotsPlan(denies=denies))
    assert layer is not None
    for _ in range(3):
        with pytest.raises(Forbidden):
            await layer(inner)(request_of(("User-Agent", "x"), ("User-Agent", "bot")))
    assert (await layer(inner)(request_of())).status == 200
    assert tried == ["x bot", ""]


@pytest.mark.parametrize(
    "plan,error",
    [
        (LimitsPlan(url=6), None),
        (LimitsPlan(url=5), TargetTooLong),
        (LimitsPlan(header_count=2), None),
        (LimitsPlan(header_count=1), HeadersTooLarge),
        (LimitsPlan(headers=6), None),
        (LimitsPlan(headers=5), HeadersTooLarge),
    ],
)
async def test_a_request_is_no_longer_than_its_route_takes(plan: LimitsPlan, error: Any, request_of: Any) -> None:
    layer = within_limits(plan)
    assert layer is not None
    request = request_of(("a", "12"), ("b", "é"), query="b=1", has_query=True, path="/a")
    if error is None:
        assert (await layer(inner)(request)).status == 200
    else:
        with pytest.raises(error):
            await layer(inner)(request)


FIELDS = (("X-Frame-Options", "DENY"), ("X-A", "1"), ("Strict-Transport-Security", "max-age=1"))


async def test_what_the_answer_says_itself_stays(request_of: Any) -> None:
    layer = with_security_headers(FIELDS)
    assert layer is not None
    response = await layer(inner)(request_of())
    assert response.headers == CIMultiDict({"X-Frame-Options": "SAMEORIGIN", "X-A": "1"})


async def test_only_over_tls_browsers_are_told_to_come_back_by_it(request_of: Any) -> None:
    layer = with_security_headers(FIELDS)
    assert layer is not None
    assert "Strict-Transport-Security" in (await layer(inner)(request_of(scheme="https"))).headers


async def test_errors_say_it_too(request_of: Any) -> None:
    async def failing(request: Request) -> Response:
        raise RouteNotFound

    layer = with_security_headers(FIELDS)
    assert layer is not None
    request = request_of()
    with pytest.raises(RouteNotFound):
        await layer(failing)(request)
    assert request.told == list(FIELDS[:2])


async def test_what_a_client_says_that_it_is_is_not_looked_at(request_of: Any) -> None:
    layer = without_identity_headers(frozenset({"x-user", "x_user"}))
    assert layer is not None
    assert without_identity_headers(frozenset()) is None
    request = request_of(("X-User", "root"), ("x_USER", "root"), ("X-Users", "1"))
    await layer(inner)(request)
    assert dict(request.headers) == {"X-Users": "1"}
    trusted = request_of(("X-User", "ann"), way=Way(("192.0.2.1",)))
    await layer(inner)(trusted)
    assert trusted.headers["X-User"] == "ann"
