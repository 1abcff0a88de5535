from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.budget import PER_SECOND, RESERVE, Budget

STEPS = st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=300)


@given(STEPS, st.floats(0, 1))
def test_extra_requests_are_never_more_than_the_share_one_a_second_and_the_reserve(
    steps: list[tuple[float, bool]], share: float
) -> None:
    budget, now, ordinary, extra = Budget(share), 100.0, 0, 0
    for seconds, is_extra in steps:
        now += seconds
        if is_extra:
            extra += budget.take(now)
        else:
            budget.asked(now)
            ordinary += 1
    assert extra <= RESERVE + share * ordinary + (now - 100.0) * PER_SECOND + 1e-6


def test_a_fault_at_a_quiet_time_finds_the_reserve() -> None:
    budget = Budget(0.2)
    assert [budget.take(5.0) for _ in range(11)] == [True] * 10 + [False]


def test_with_a_share_of_nothing_it_does_not_grow_again() -> None:
    budget = Budget(0.0)
    for _ in range(10):
        budget.take(5.0)
    budget.asked(1000.0)
    assert not budget.take(2000.0)


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    budget = Budget(0.2)
    for _ in range(10):
        budget.take(5.0)
    assert not budget.take(4.0)


class Upstream:
    """A queue in front of limited capacity: what has waited too long is worked on all the same, and for nobody."""

    PATIENCE_S, KEPT_S = 2, 4

    def __init__(self, attempts: int, budget: Budget | None) -> None:
        self.attempts, self.budget = attempts, budget
        self.queue: deque[tuple[int, int]] = deque()  # which attempt it is, the second it came

    def second(self, now: int, arrivals: int, capacity: int) -> int:
        """How many are answered in time."""
        for _ in range(arrivals):
            if self.budget is not None:
                self.budget.asked(float(now))
            self.queue.append((1, now))
        good, failed = 0, []
        for _ in range(min(capacity, len(self.queue))):
            attempt, came = self.queue.popleft()
            if now - came < self.PATIENCE_S:
                good += 1
            else:
                failed.append(attempt)
        while self.queue and now - self.queue[0][1] >= self.KEPT_S:
            failed.append(self.queue.popleft()[0])
        for attempt in failed:
            if attempt < self.attempts and (self.budget is None or self.budget.take(float(now))):
                self.queue.append((attempt + 1, now))
        return good


def seconds_to_recover(attempts: int, budget: Budget | None) -> int | None:
    """100 requests a second for a capacity of 120, after 20 seconds without any; None if ten minutes are too few."""
    upstream = Upstream(attempts, budget)
    for now in range(640):
        good = upstream.second(now, 100, 0 if 20 <= now < 40 else 120)
        if now >= 40 and good >= 100:
            return now - 40
    return None


def test_without_a_budget_retries_keep_an_upstream_down_for_good() -> None:
    assert seconds_to_recover(1, None) == 14
    assert [seconds_to_recover(attempts, None) for attempts in (2, 4, 10)] == [None] * 3


@pytest.mark.parametrize("attempts", [2, 4, 10])
def test_with_a_budget_an_outage_ends(attempts: int) -> None:
    recovered = seconds_to_recover(attempts, Budget(0.2))
    assert recovered is not None
    assert recovered <= 31
