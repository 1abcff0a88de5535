from dataclasses import replace

from proxy.plan.upstreams import Endpoint, UpstreamPlan
from proxy.upstream.pools import Pools

HERE = Endpoint("http", "catalog", 8002)


async def test_plans_that_balance_differently_share_a_pool(upstream_plan: UpstreamPlan) -> None:
    pools = Pools()
    one = pools.take(upstream_plan, HERE, None)
    assert pools.take(replace(upstream_plan, balance="random"), HERE, None) is one


async def test_plans_with_other_limits_share_none(upstream_plan: UpstreamPlan) -> None:
    pools = Pools()
    one = pools.take(upstream_plan, HERE, None)
    assert pools.take(replace(upstream_plan, max_connections=7), HERE, None) is not one


async def test_a_pool_goes_with_its_last_user(upstream_plan: UpstreamPlan) -> None:
    pools = Pools()
    pools.take(upstream_plan, HERE, None)
    pools.take(upstream_plan, HERE, None)
    pools.give_back(upstream_plan, HERE)
    assert len(pools) == 1
    pools.give_back(upstream_plan, HERE)
    assert len(pools) == 0
