from math import inf

from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.shedding import FLOOR, PULSE_S, Shedding


class Process:
    """Feeds a policy with pulses."""

    def __init__(self, lag_s: float = 0.025, after_s: float = 1.0) -> None:
        self.policy = Shedding(lag_s, after_s)
        self.now = 100.0

    def run(self, seconds: float, lag: float, active: int | None = None) -> float:
        """So long with such a lag; without `active` as many as the limit allows of 1,000."""
        end = self.now + seconds
        while self.now < end:
            self.now += PULSE_S + lag
            self.policy.pulse(lag, int(min(1000, self.policy.limit)) if active is None else active, self.now)
        return self.policy.limit


def test_there_is_no_limit_as_long_as_there_is_time() -> None:
    process = Process()
    assert process.run(60, 0.001, 100_000) == inf
    assert process.policy.calm


def test_a_pause_is_no_overload() -> None:
    process = Process()
    process.run(5, 0.001)
    assert process.run(0.1, 5.0) == inf
    assert process.run(5, 0.001) == inf


def test_lateness_that_goes_on_limits_what_is_taken_on() -> None:
    process = Process()
    assert process.run(1.0, 0.05) == inf
    assert not process.policy.calm
    assert process.run(1.0, 0.05) <= 500


def test_it_takes_less_as_long_as_it_is_late_but_always_some() -> None:
    process = Process()
    first = process.run(1.5, 0.05)
    assert FLOOR < process.run(1.5, 0.05) < first
    assert process.run(60.0, 0.05) == FLOOR


def test_it_takes_more_while_there_is_time() -> None:
    process = Process()
    low = process.run(5.0, 0.05)
    assert low < process.run(1.0, 0.001) < inf


def test_the_limit_is_gone_when_nobody_has_reached_it_for_a_while() -> None:
    process = Process()
    low = process.run(5.0, 0.05)
    assert process.run(0.9, 0.001, int(low / 2)) < inf
    assert process.run(0.6, 0.001, int(low / 2)) == inf
    assert process.policy.calm


def test_its_thresholds_may_change() -> None:
    process = Process()
    process.policy.change(1.0, 1.0)
    assert process.run(10.0, 0.9) == inf


def test_it_finds_what_a_process_can_hold() -> None:
    process = Process()
    limits = []
    for _ in range(600):  # the lag grows with what is in hand: 0.1 ms for each
        active = int(min(2000, process.policy.limit))
        limits.append(process.run(0.1, active * 0.0001, active))
    assert min(limits[200:]) > 150
    assert max(limits[200:]) < 450


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 5000)), max_size=400))
def test_the_limit_is_never_below_the_floor(pulses: list[tuple[float, int]]) -> None:
    policy, now = Shedding(0.025, 0.1), 100.0
    for lag, active in pulses:
        now += PULSE_S + lag
        policy.pulse(lag, active, now)
        assert policy.limit >= FLOOR
