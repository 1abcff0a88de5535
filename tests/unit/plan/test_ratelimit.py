from dataclasses import replace

from proxy.plan.ratelimit import RateLimitPlan
from proxy.policy.ratelimit import Limit


def test_plans_are_equal_by_what_is_written_and_not_by_what_was_compiled() -> None:
    def make() -> RateLimitPlan:
        return RateLimitPlan(
            route="a", name="b", limit=Limit(1, 1.0, 1), key_text="$.x", roots=frozenset(), key=lambda scope: None
        )

    assert make() == make()
    assert len({make(), make(), replace(make(), limit=Limit(2, 1.0, 1))}) == 2
