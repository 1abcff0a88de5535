import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.ratelimit import Limit, judge

STEPS = st.lists(st.floats(0, 5), min_size=1, max_size=300)
LIMITS = st.builds(Limit, st.integers(1, 50), st.floats(0.5, 60), st.integers(1, 60))


@given(STEPS, LIMITS)
def test_in_any_stretch_of_time_no_more_come_through_than_the_burst_and_the_rate(
    steps: list[float], limit: Limit
) -> None:
    now, due, let_in = 1000.0, 0.0, []
    for step in steps:
        now += step
        verdict = judge(limit, due, now)
        due = verdict.due
        if not verdict.retry_s:
            let_in.append(now)
    for first, start in enumerate(let_in):
        for last in range(first, len(let_in)):
            assert last - first + 1 <= limit.burst + (let_in[last] - start) / limit.interval_s + 1e-3


@given(STEPS, LIMITS)
def test_who_comes_when_told_to_is_let_in(steps: list[float], limit: Limit) -> None:
    now, due = 1000.0, 0.0
    for step in steps:
        now += step
        verdict = judge(limit, due, now)
        due = verdict.due
        if verdict.retry_s:
            assert not judge(limit, due, now + verdict.retry_s + 1e-6).retry_s


def test_a_burst_is_let_in_at_once_and_then_one_for_each_interval() -> None:
    limit, due, remaining = Limit(60, 60.0, 3), 0.0, []
    for _ in range(3):
        verdict = judge(limit, due, 1000.0)
        due = verdict.due
        remaining.append(verdict.remaining)
    assert remaining == [2, 1, 0]
    refused = judge(limit, due, 1000.0)
    assert (refused.due, refused.remaining) == (due, 0)
    assert refused.retry_s == pytest.approx(1.0)
    assert judge(limit, due, 1001.0).remaining == 0
    assert judge(limit, due, 1010.0).remaining == 2


def test_all_of_it_is_there_again_when_the_reset_says_so() -> None:
    limit = Limit(10, 10.0, 10)
    verdict = judge(limit, 0.0, 1000.0)
    assert verdict.reset_s == pytest.approx(1.0)
    assert judge(limit, verdict.due, 1000.0 + verdict.reset_s).remaining == 9
