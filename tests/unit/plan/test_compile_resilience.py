from typing import Any

import pytest

from proxy.policy.breaker import BreakerPlan
from proxy.policy.retry import IDEMPOTENT, RetryPlan

HEAD = "version: 1\nupstreams: {u: {urls: [http://u]%s}}\n%sroutes:\n  - name: a\n    match: /a\n"


def call_of(plan_of: Any, call: str, defaults: str = "") -> Any:
    plan = plan_of(HEAD % ("", defaults) + f"    calls: {{x: {{{call}}}}}\n")
    return plan.routes[0].action.calls[0]


def upstream_of(plan_of: Any, text: str) -> Any:
    return plan_of(HEAD % (f", {text}", "") + "    proxy: u\n").upstreams["u"]


def test_a_call_is_not_retried_unless_it_says_so(plan_of: Any) -> None:
    call = call_of(plan_of, "get: 'u:/'")
    assert (call.retry, call.hedge_s) == (None, None)


def test_retry_has_two_attempts_for_idempotent_methods_unless_said(plan_of: Any) -> None:
    plan = call_of(plan_of, "get: 'u:/', retry: {}").retry
    assert plan == RetryPlan(2, frozenset({502, 503, 504}), 0.025, IDEMPOTENT, None)
    said = "{attempts: 4, statuses: [429, 5xx], backoff: 1s, methods: POST, per_try: 2s}"
    plan = call_of(plan_of, f"post: 'u:/', retry: {said}").retry
    assert plan == RetryPlan(4, frozenset({429, *range(500, 600)}), 1.0, frozenset({"POST"}), 2.0)


def test_the_default_holds_where_a_call_says_nothing(plan_of: Any) -> None:
    defaults = "defaults: {call: {retry: {attempts: 5}}}\n"
    assert call_of(plan_of, "get: 'u:/'", defaults).retry.attempts == 5
    assert call_of(plan_of, "get: 'u:/', retry: {attempts: 3}", defaults).retry.attempts == 3
    assert call_of(plan_of, "get: 'u:/', retry: {attempts: 1}", defaults).retry is None


def test_a_hedge_is_only_for_what_changes_nothing(plan_of: Any, problems_of: Any) -> None:
    assert call_of(plan_of, "get: 'u:/', hedge: {after: 60ms}").hedge_s == 0.06
    (problem,) = problems_of(HEAD % ("", "") + "    calls: {x: {post: 'u:/', hedge: {after: 60ms}}}\n")
    assert (problem.code, problem.span.line) == ("conflicting-keys", 6)


def test_a_hedge_that_comes_too_late_is_a_warning(problems_of: Any) -> None:
    (problem,) = problems_of(HEAD % ("", "") + "    calls: {x: {get: 'u:/', timeout: 1s, hedge: {after: 1s}}}\n")
    assert (problem.code, problem.severity) == ("never-hedged", "warning")


@pytest.mark.parametrize(
    "text, plan",
    [
        ("{}", BreakerPlan()),
        ("{failures: 5, per: endpoint, probes: 3}", BreakerPlan(rate=None, count=5, per_endpoint=True, probes=3)),
        ("{failures: 1}", BreakerPlan(rate=None, count=1)),
        ("{failures: 100%, window: 1m, min_calls: 5, open_for: 1s}", BreakerPlan(1.0, None, 60.0, 5, 1.0)),
    ],
)
def test_a_breaker_counts_failures_or_a_share_of_them(plan_of: Any, text: str, plan: BreakerPlan) -> None:
    assert upstream_of(plan_of, f"breaker: {text}").breaker == plan


@pytest.mark.parametrize("failures", ["0", "50", "0.5", "many", "120%", "true"])
def test_failures_that_are_neither_are_a_problem(problems_of: Any, failures: str) -> None:
    text = HEAD % (f", breaker: {{failures: {failures}}}", "") + "    proxy: u\n"
    found = problems_of(text)
    assert [problem.hint for problem in found] == ([] if failures == "50" else ["write 50%, or a number of failures"])


def test_a_route_may_have_time_outs_of_its_own(plan_of: Any) -> None:
    route = plan_of(HEAD % ("", "") + "    proxy: {to: u, timeouts: {first_byte: 5s}, retry: {}}\n").routes[0]
    timeouts = route.action.timeouts
    assert (timeouts.connect_s, timeouts.first_byte_s, timeouts.idle_s) == (None, 5.0, None)
    assert route.action.retry.attempts == 2


def test_wrong_names_are_problems(problems_of: Any) -> None:
    text = HEAD % (", deadline_header: 'a b'", "") + "    proxy: {to: u, retry: {methods: [get, 'A B']}}\n"
    assert [problem.code for problem in problems_of(text)] == ["bad-header", "bad-method", "bad-method"]
