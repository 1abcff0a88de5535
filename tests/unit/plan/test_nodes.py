import dataclasses
from typing import Any

from proxy.plan.nodes import ServerPlan
from proxy.plan.tls import CertificatePlan, ServerTlsPlan


def test_only_what_the_listener_was_opened_with_needs_a_restart() -> None:
    plan = ServerPlan(max_target=1, max_body=1, drain_s=1, body_s=1, trusted_proxies=())
    assert dataclasses.replace(plan, max_body=2, drain_s=2).needs_restart(plan) == ()
    assert dataclasses.replace(plan, max_target=2).needs_restart(plan) == ("max_target",)


def test_new_certificates_take_no_restart_and_anything_else_of_tls_does() -> None:
    def make(**tls: Any) -> ServerPlan:
        plan = ServerTlsPlan(certificates=(CertificatePlan(cert="a", stamp=tls.pop("stamp", "")),), **tls)
        return ServerPlan(max_target=1, max_body=1, drain_s=1, body_s=1, trusted_proxies=(), tls=plan)

    assert make(stamp="new").needs_restart(make()) == ()
    assert make(min_version="1.3").needs_restart(make()) == ("tls",)
    assert dataclasses.replace(make(), tls=None).needs_restart(make()) == ("tls",)
