from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import Forbidden
from proxy.message import Request, Response
from proxy.plan.cors import CorsPlan
from proxy.server.cors import cross_origin, preflight

APP = "https://app.example.com"
PLAN = CorsPlan(origins=frozenset({APP}))


async def upstream(request: Request) -> Response:
    return Response(
        200, CIMultiDict([("Access-Control-Allow-Origin", "*"), ("access-control-max-age", "1"), ("X", "1")])
    )


def test_a_route_without_has_no_layer() -> None:
    assert cross_origin(None) is None


async def test_what_the_upstream_says_of_origins_is_not_passed_on(request_of: Any) -> None:
    layer = cross_origin(PLAN)
    assert layer is not None
    request = request_of("/", headers={"Origin": APP})
    response = await layer(upstream)(request)
    assert response.headers == CIMultiDict({"X": "1"})
    assert request.told == [("Vary", "Origin"), ("Access-Control-Allow-Origin", APP)]


HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket"}


@pytest.mark.parametrize("origin,passes", [(APP, True), ("https://evil.com", False), ("null", False), (None, True)])
async def test_a_websocket_is_for_the_same_pages(origin: str | None, passes: bool, request_of: Any) -> None:
    layer = cross_origin(PLAN)
    assert layer is not None
    request = request_of("/", headers=HANDSHAKE if origin is None else {**HANDSHAKE, "Origin": origin})
    if passes:
        assert (await layer(upstream)(request)).status == 200
    else:
        with pytest.raises(Forbidden):
            await layer(upstream)(request)


def test_a_preflight_says_what_may_be_sent_or_is_refused(request_of: Any) -> None:
    response = preflight(PLAN, request_of("/", headers={"Origin": APP}), "PUT")
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert response.headers["Access-Control-Allow-Methods"] == "PUT"
    with pytest.raises(Forbidden) as refused:
        preflight(PLAN, request_of("/", headers={"Origin": "https://evil.com"}), "PUT")
    assert refused.value.headers == {"Vary": "Origin"}
