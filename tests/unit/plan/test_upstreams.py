import pytest

from proxy.plan.upstreams import Endpoint, UpstreamPlan


@pytest.mark.parametrize(
    "endpoint,authority",
    [
        (Endpoint("http", "a", 80), "a"),
        (Endpoint("https", "a", 443), "a"),
        (Endpoint("http", "a", 443), "a:443"),
        (Endpoint("http", "::1", 8080), "[::1]:8080"),
    ],
)
def test_an_authority_names_the_port_only_where_it_is_not_the_schemes_own(endpoint: Endpoint, authority: str) -> None:
    assert endpoint.authority == authority


def test_equal_upstream_plans_are_one_key_of_a_pool() -> None:
    def make(idle_s: float) -> UpstreamPlan:
        return UpstreamPlan(
            name="u",
            endpoints=(Endpoint("http", "a", 80),),
            host="upstream",
            forward_headers=(),
            max_connections=1,
            connect_s=1,
            pool_s=1,
            first_byte_s=1,
            idle_s=idle_s,
            keepalive_s=1,
        )

    assert len({make(1), make(1), make(2)}) == 2
