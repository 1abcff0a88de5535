from dataclasses import replace

import pytest

from proxy.plan.upstreams import UpstreamPlan
from proxy.upstream.exchange import UpstreamRequest
from proxy.upstream.registry import Registry


async def test_an_equal_plan_gets_the_client_that_is_there(upstream_plan: UpstreamPlan) -> None:
    registry = Registry()
    first = registry.take([upstream_plan])
    assert registry.take([replace(upstream_plan)]) == first
    assert len(registry.clients()) == 1
    await registry.close()


async def test_a_changed_plan_gets_a_client_of_its_own(upstream_plan: UpstreamPlan) -> None:
    registry = Registry()
    registry.take([upstream_plan])
    registry.take([replace(upstream_plan, max_connections=1)])
    assert len(registry.clients()) == 2
    await registry.close()


async def test_a_client_is_closed_when_its_last_user_lets_go(upstream_plan: UpstreamPlan) -> None:
    registry = Registry()
    registry.take([upstream_plan])
    registry.take([upstream_plan])
    await registry.release([upstream_plan])
    assert len(registry.clients()) == 1
    await registry.release([upstream_plan])
    assert registry.clients() == ()


async def test_closing_everything_leaves_nothing_to_release(upstream_plan: UpstreamPlan) -> None:
    registry = Registry()
    registry.take([upstream_plan])
    await registry.close()
    await registry.release([upstream_plan])
    assert registry.clients() == ()


async def test_a_client_that_nobody_uses_can_send_no_more(upstream_plan: UpstreamPlan) -> None:
    registry = Registry()
    client = registry.take([upstream_plan])["u"]
    await registry.release([upstream_plan])
    with pytest.raises(RuntimeError, match="closed"):
        await client.send(UpstreamRequest(method="GET", target="/", headers=[], body=None, max_body=1))
