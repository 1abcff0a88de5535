from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.plan.ip import IpPlan

HEAD = "version: 1\n%sroutes: [{name: a, match: /, reply: {}%s}]\n"


def plan(plan_of: Any, rules: str) -> IpPlan:
    made = plan_of(HEAD % ("", f", ip: {rules}")).routes[0].ip
    assert isinstance(made, IpPlan)
    return made


@pytest.mark.parametrize(
    "rules,address,may",
    [
        ("{allow: [10.0.0.0/8]}", "10.1.2.3", True),
        ("{allow: [10.0.0.0/8]}", "11.1.2.3", False),
        ("{allow: [10.0.0.0/8]}", "::ffff:10.1.2.3", True),
        ("{allow: ['::ffff:10.0.0.0/104']}", "10.1.2.3", True),
        ("{allow: [10.0.0.0/8]}", "2001:db8::1", False),
        ("{allow: ['2001:db8::/32']}", "2001:db8::1", True),
        ("{allow: ['fe80::/10']}", "fe80::1%eth0", True),
        ("{deny: [10.0.0.0/8]}", "::ffff:10.1.2.3", False),
        ("{deny: [10.0.0.0/8]}", "192.0.2.1", True),
        ("{allow: [10.0.0.0/8], deny: [10.1.0.0/16]}", "10.1.2.3", False),
        ("{allow: [10.0.0.0/8], deny: [10.1.0.0/16]}", "10.2.2.3", True),
        ("{allow: [192.0.2.7]}", "192.0.2.7", True),
        ("{deny: [192.0.2.7]}", "", False),
        ("{deny: [192.0.2.7]}", "nobody", False),
    ],
)
def test_who_may_ask(plan_of: Any, rules: str, address: str, may: bool) -> None:
    assert plan(plan_of, rules).lets_in(address) is may


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_an_address_and_its_spelling_in_ipv6_are_the_same(address: Any, around: Any, bits: int) -> None:
    for rules in (IpPlan(allow=(ip_network((around, bits), strict=False),)), IpPlan(deny=(ip_network(around),))):
        assert rules.lets_in(str(address)) is rules.lets_in(f"::ffff:{address}")


@pytest.mark.parametrize(
    "rules,hint",
    [
        ("{allow: [10.0.0.1/8]}", "write 10.0.0.0/8"),
        ("{deny: [example.com]}", "write 10.0.0.0/8 or 2001:db8::/32"),
        ("{deny: ['10.0.0.0/33']}", "write 10.0.0.0/8 or 2001:db8::/32"),
    ],
)
def test_what_is_no_network_is_a_problem(problems_of: Any, rules: str, hint: str) -> None:
    (problem,) = problems_of(HEAD % ("", f", ip: {rules}"))
    assert (problem.code, problem.hint) == ("bad-address", hint)


def test_the_default_holds_where_a_route_says_nothing(plan_of: Any) -> None:
    defaults = "defaults: {route: {ip: {deny: [10.0.0.0/8]}}}\n"
    assert not plan_of(HEAD % (defaults, "")).routes[0].ip.lets_in("10.0.0.1")
    assert plan_of(HEAD % (defaults, ", ip: {}")).routes[0].ip is None
    assert plan_of(HEAD % ("", "")).routes[0].ip is None
