import pytest

from proxy.errors import (
    BreakerOpen,
    ConnectTimeout,
    DeadlineExceeded,
    ExtractionFailed,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamTooLarge,
    UpstreamUnreachable,
)
from proxy.policy.retry import (
    IDEMPOTENT,
    MAX_BACKOFF_S,
    RetryPlan,
    delay,
    idempotent,
    may_repeat,
    retry_after,
    wait_for,
)
from proxy.upstream.http1.connection import Unanswered

PLAN = RetryPlan(3, frozenset({503}), 0.1)


@pytest.mark.parametrize("error", [UpstreamUnreachable(), UpstreamTimeout(), UpstreamInvalid(), Unanswered()])
def test_what_an_upstream_may_do_better_is_asked_again(error: Exception) -> None:
    assert may_repeat(PLAN, "GET", error, 0)


@pytest.mark.parametrize(
    "error", [BreakerOpen(1.0), DeadlineExceeded(), ExtractionFailed(), UpstreamTooLarge(), RuntimeError()]
)
def test_what_would_end_the_same_is_not(error: Exception) -> None:
    assert not may_repeat(PLAN, "GET", error, 0)


@pytest.mark.parametrize("status, again", [(503, True), (500, False), (200, False)])
def test_answers_are_asked_again_for_the_statuses_that_are_named(status: int, again: bool) -> None:
    assert may_repeat(PLAN, "GET", None, status) is again


@pytest.mark.parametrize("error", [UpstreamUnreachable(), ConnectTimeout(), UpstreamBusy()])
def test_a_post_that_nobody_has_seen_is_made_again(error: Exception) -> None:
    assert may_repeat(PLAN, "POST", error, 0)


@pytest.mark.parametrize("error", [Unanswered(), UpstreamTimeout(), UpstreamInvalid(), None])
def test_a_post_that_may_have_had_an_effect_is_not(error: Exception | None) -> None:
    assert not may_repeat(PLAN, "POST", error, 503)


def test_methods_that_are_named_are_made_again_and_no_others() -> None:
    plan = RetryPlan(2, frozenset({503}), 0.1, idempotent(["POST"]))
    assert may_repeat(plan, "POST", UpstreamTimeout(), 0)
    assert not may_repeat(plan, "GET", UpstreamTimeout(), 0)
    assert idempotent(None) == IDEMPOTENT


def test_the_bound_of_the_wait_doubles_up_to_a_limit() -> None:
    assert [delay(PLAN, attempt, 1.0) for attempt in (1, 2, 3)] == pytest.approx([0.1, 0.2, 0.4])
    assert delay(PLAN, 40, 1.0) == MAX_BACKOFF_S
    assert delay(PLAN, 3, 0.25) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("٣", None),
        ("9" * 50, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, 60.0) == seconds


def test_there_are_no_more_attempts_than_planned() -> None:
    assert wait_for(PLAN, 2, 0.0, None, None) == 0.0
    assert wait_for(PLAN, 3, 0.0, None, None) is None


def test_an_upstream_that_says_when_is_not_asked_before() -> None:
    assert wait_for(PLAN, 1, 0.5, 2.0, 5.0) == 2.0


def test_what_would_begin_too_late_is_not_begun() -> None:
    assert wait_for(PLAN, 1, 0.5, 2.0, 2.0) is None
    assert wait_for(PLAN, 1, 1.0, None, 0.05) is None


def test_an_upstream_that_wants_a_long_time_is_given_up() -> None:
    assert wait_for(PLAN, 1, 0.5, 3600.0, None) is None
