import pytest

from proxy.plan.upstreams import Endpoint, UpstreamPlan


@pytest.fixture
def upstream_plan() -> UpstreamPlan:
    """An upstream whose limits a test can wait for; replace what the test is about."""
    return UpstreamPlan(
        name="u",
        endpoints=(Endpoint("http", "127.0.0.1", 9),),
        host="upstream",
        forward_headers=(),
        max_connections=8,
        connect_s=1,
        pool_s=0.05,
        first_byte_s=5,
        idle_s=5,
        keepalive_s=4,
    )
