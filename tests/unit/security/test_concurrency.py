import asyncio
from typing import Any

import pytest

from proxy.errors import TooManyAtOnce, UpstreamFailed
from proxy.message import BodyStream, Request, Response
from proxy.plan.ratelimit import ConcurrencyPlan
from proxy.security.concurrency import AllPlaces, at_most

TWO = ConcurrencyPlan(route="a", limit=2)
BY_TENANT = ConcurrencyPlan(
    route="a",
    limit=1,
    key_text="$.headers.x-tenant",
    roots=frozenset({"headers"}),
    key=lambda scope: scope["headers"].get("x-tenant"),
)


class Stream(BodyStream):
    length = None


class Route:
    """Requests that stay under way until the test lets them end."""

    def __init__(self, plan: ConcurrencyPlan) -> None:
        self.places: AllPlaces = {}
        self.ends: list[asyncio.Future[Response]] = []
        layer = at_most(plan, self.places)
        assert layer is not None
        self.service = layer(self._serve)
        self.taken = self.places[plan]

    async def _serve(self, request: Request) -> Response:
        end = asyncio.get_running_loop().create_future()
        self.ends.append(end)
        return await end

    async def begin(self, request: Request) -> asyncio.Task[Response]:
        async def ask() -> Response:
            return await self.service(request)

        task = asyncio.get_running_loop().create_task(ask())
        await asyncio.sleep(0)
        return task


def test_a_route_without_has_no_layer() -> None:
    assert at_most(None, {}) is None


async def test_one_too_many_is_refused_until_one_has_ended(request_of: Any) -> None:
    route = Route(TWO)
    first, second = [await route.begin(request_of()) for _ in range(2)]
    with pytest.raises(TooManyAtOnce):
        await route.service(request_of())
    route.ends[0].set_result(Response(200))
    assert (await first).status == 200
    third = await route.begin(request_of())
    assert len(route.ends) == 3
    for task in (second, third):
        task.cancel()
    await asyncio.gather(second, third, return_exceptions=True)
    assert route.taken == {}


async def test_who_is_refused_takes_no_place(request_of: Any) -> None:
    route = Route(ConcurrencyPlan(route="a", limit=1))
    first = await route.begin(request_of())
    for _ in range(3):
        with pytest.raises(TooManyAtOnce):
            await route.service(request_of())
    route.ends[0].set_result(Response(200))
    await first
    assert route.taken == {}


async def test_a_streamed_answer_is_under_way_until_its_last_byte(request_of: Any) -> None:
    route = Route(TWO)
    task = await route.begin(request_of())
    response = Response(200, stream=Stream())
    route.ends[0].set_result(response)
    await task
    assert route.taken == {"": 1}
    response.end()
    assert route.taken == {}


@pytest.mark.parametrize("error", [UpstreamFailed("no"), RuntimeError("a defect"), asyncio.CancelledError()])
async def test_a_place_is_given_back_however_it_ends(error: BaseException, request_of: Any) -> None:
    route = Route(TWO)
    task = await route.begin(request_of())
    route.ends[0].set_exception(error)
    await asyncio.gather(task, return_exceptions=True)
    assert route.taken == {}


async def test_each_key_has_places_of_its_own_and_who_has_none_is_known_by_address(request_of: Any) -> None:
    route = Route(BY_TENANT)
    for request in (
        request_of(("X-Tenant", "a")),
        request_of(("X-Tenant", "b")),
        request_of(),
        request_of(client_ip="192.0.2.9"),
        request_of(("X-Tenant", "192.0.2.1")),
    ):
        await route.begin(request)
    assert sorted(route.taken) == ["=192.0.2.1", "=a", "=b", "@192.0.2.1", "@192.0.2.9"]
    for request in (request_of(("X-Tenant", "a")), request_of()):
        with pytest.raises(TooManyAtOnce):
            await route.service(request)
    for end in route.ends:
        end.set_result(Response(200))


def test_an_equal_limit_goes_on_counting() -> None:
    places: AllPlaces = {}
    at_most(TWO, places)
    places[TWO][""] = 2
    at_most(ConcurrencyPlan(route="a", limit=2), places)
    assert places == {TWO: {"": 2}}
