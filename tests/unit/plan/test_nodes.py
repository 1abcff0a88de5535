import dataclasses

from proxy.plan.nodes import ServerPlan


def test_only_what_the_listener_was_opened_with_needs_a_restart() -> None:
    plan = ServerPlan(max_target=1, max_body=1, drain_s=1, body_s=1, trusted_proxies=())
    assert dataclasses.replace(plan, max_body=2, drain_s=2).needs_restart(plan) == ()
    assert dataclasses.replace(plan, max_target=2).needs_restart(plan) == ("max_target",)
