from typing import Any

import pytest

from proxy.plan.shield import LimitsPlan


def text(keys: str, action: str = "reply: {}", defaults: str = "") -> str:
    return (
        "version: 1\nupstreams: {u: http://u}\n"
        f"defaults: {{route: {{{defaults}}}}}\nroutes: [{{name: r, match: GET /, {keys} {action}}}]\n"
    )


@pytest.mark.parametrize(
    "agent,denied",
    [
        ("curl/8.1", True),
        ("Mozilla/5.0 (compatible; EvilBot/1.0)", True),
        ("evilbot-friend", False),
        ("Mozilla/5.0", False),
        ("", False),
    ],
)
def test_bots_are_known_by_what_they_say(agent: str, denied: bool, plan_of: Any) -> None:
    bots = "bots: {deny: ['^curl', evilbot], allow: [friend$]},"
    assert plan_of(text(bots)).routes[0].bots.denies(agent) is denied


def test_who_says_nothing_may_be_refused(plan_of: Any) -> None:
    plan = plan_of(text("bots: {empty: deny},")).routes[0].bots
    assert plan.denies("")
    assert not plan.denies("x")


@pytest.mark.parametrize(
    "bots,code", [("{}", "missing-key"), ("{allow: [a]}", "missing-key"), ("{deny: ['(']}", "bad-regex")]
)
def test_what_denies_nobody_or_is_no_expression_is_a_problem(bots: str, code: str, codes_of: Any) -> None:
    assert codes_of(text(f"bots: {bots},")) == [code]


def test_limits_are_the_routes_or_those_of_all(plan_of: Any) -> None:
    assert plan_of(text("limits: {url: 1KiB},")).routes[0].limits == LimitsPlan(url=1024)
    assert plan_of(text("", defaults="limits: {header_count: 9}")).routes[0].limits == LimitsPlan(header_count=9)
    assert plan_of(text("limits: null,", defaults="limits: {header_count: 9}")).routes[0].limits is None
    assert plan_of(text("limits: {},")).routes[0].limits is None


def test_data_is_not_to_be_run_framed_or_guessed_at(plan_of: Any) -> None:
    fields = dict(plan_of(text("security_headers: true,")).routes[0].security_headers)
    assert fields["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert fields["X-Content-Type-Options"] == "nosniff"


def test_of_what_pages_need_their_upstream_knows_more(plan_of: Any) -> None:
    fields = dict(plan_of(text("security_headers: true,", "proxy: u")).routes[0].security_headers)
    assert "Content-Security-Policy" not in fields
    assert fields["X-Frame-Options"] == "DENY"


def test_each_can_be_otherwise_or_left_out(plan_of: Any) -> None:
    said = "security_headers: {x-frame-options: SAMEORIGIN, Referrer-Policy: null, Permissions-Policy: 'camera=()'},"
    fields = dict(plan_of(text(said)).routes[0].security_headers)
    assert fields["x-frame-options"] == "SAMEORIGIN"
    assert "X-Frame-Options" not in fields
    assert "Referrer-Policy" not in fields
    assert fields["Permissions-Policy"] == "camera=()"


def test_without_there_are_none(plan_of: Any) -> None:
    assert plan_of(text("")).routes[0].security_headers == ()
    assert plan_of(text("security_headers: false,", defaults="security_headers: true")).routes[0].security_headers == ()


@pytest.mark.parametrize("said", ["{'X A': b}", '{X-A: "a\\r\\nb"}'])
def test_what_cannot_stand_in_a_header_is_a_problem(said: str, codes_of: Any) -> None:
    assert codes_of(text(f"security_headers: {said},")) == ["bad-header"]
