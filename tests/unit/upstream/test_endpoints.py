from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random

import pytest

from proxy.events import Event
from proxy.plan.upstreams import Endpoint, HealthPlan, OutlierPlan, UpstreamPlan
from proxy.upstream.endpoints import Endpoints
from proxy.upstream.pools import Pools

THREE = tuple(Endpoint("http", f"catalog-{index}", 8002) for index in (1, 2, 3))


@pytest.fixture
async def endpoints(upstream_plan: UpstreamPlan) -> AsyncIterator[Endpoints]:
    health = HealthPlan(path="/", interval_s=5, timeout_s=1, passes=1, fails=1, statuses=frozenset({200}))
    plan = replace(upstream_plan, endpoints=THREE, health=health, outlier=OutlierPlan(max_ejected=0.5))
    pools = Pools()
    told: list[Event] = []
    made = Endpoints(
        plan,
        THREE,
        lambda endpoint: pools.take(plan, endpoint, None),
        lambda endpoint: pools.give_back(plan, endpoint),
        told.append,
        Random(1),
    )
    yield made
    made.close()


def chosen(endpoints: Endpoints) -> set[str]:
    return {endpoints._balancer.choose(0.0, None).endpoint.host for _ in range(100)}


async def test_one_that_fails_its_check_is_left_out_until_it_passes(endpoints: Endpoints) -> None:
    endpoints.checked(endpoints.members[0], False, "down")
    assert chosen(endpoints) == {"catalog-2", "catalog-3"}
    endpoints.checked(endpoints.members[0], True, "up")
    assert chosen(endpoints) == {"catalog-1", "catalog-2", "catalog-3"}


async def test_when_none_is_well_all_are_used(endpoints: Endpoints) -> None:
    for member in endpoints.members:
        endpoints.checked(member, False, "down")
    assert chosen(endpoints) == {"catalog-1", "catalog-2", "catalog-3"}


async def test_endpoints_that_stay_keep_their_state(endpoints: Endpoints) -> None:
    stays = endpoints.members[1]
    endpoints.checked(stays, False, "down")
    endpoints.replace({THREE[1]: 1, Endpoint("http", "catalog-4", 8002): 1})
    assert endpoints.members[0] is stays
    assert stays.state == "unhealthy"
    assert chosen(endpoints) == {"catalog-4"}


async def test_a_weight_that_changes_is_the_endpoints_from_then_on(endpoints: Endpoints) -> None:
    endpoints.replace({THREE[0]: 1, THREE[1]: 5})
    assert [member.weight for member in endpoints.members] == [1, 5]
