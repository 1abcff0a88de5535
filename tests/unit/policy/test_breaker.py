from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.breaker import Breaker, BreakerPlan

RATE = BreakerPlan(rate=0.5, window_s=10, min_calls=4, open_for_s=5, probes=2)
COUNT = BreakerPlan(rate=None, count=3, window_s=10, open_for_s=5)


def tell(breaker: Breaker, now: float, *ends: bool | None) -> list[bool]:
    changes = []
    for failed in ends:
        ticket = breaker.admit(now)
        assert ticket is not None
        changes.append(breaker.ended(ticket, failed, now))
    return changes


def opened(plan: BreakerPlan = RATE) -> Breaker:
    breaker = Breaker(plan)
    tell(breaker, 100.0, True, True, True, *([True] if plan is RATE else []))
    assert breaker.state == "open"
    return breaker


def test_it_opens_when_a_share_of_enough_requests_has_failed() -> None:
    breaker = Breaker(RATE)
    assert tell(breaker, 100.0, True, False, False) == [False] * 3
    assert breaker.state == "closed"
    assert tell(breaker, 100.0, True) == [True]
    assert breaker.state == "open"


def test_it_opens_after_so_many_failures() -> None:
    breaker = Breaker(COUNT)
    tell(breaker, 100.0, True, *[False] * 50, True)
    assert breaker.state == "closed"
    tell(breaker, 100.0, True)
    assert breaker.state == "open"


def test_what_is_older_than_the_window_is_forgotten() -> None:
    breaker = Breaker(COUNT)
    tell(breaker, 100.0, True, True)
    tell(breaker, 110.0, True)
    assert breaker.state == "closed"
    tell(breaker, 111.0, True, True)
    assert breaker.state == "open"


def test_ends_that_say_nothing_of_the_upstream_do_not_count() -> None:
    breaker = Breaker(RATE)
    tell(breaker, 100.0, *[None] * 10, True, True, True)
    assert breaker.state == "closed"


def test_open_it_lets_nothing_through_until_its_time_is_over() -> None:
    breaker = opened()
    assert breaker.admit(104.9) is None
    assert not breaker.ready(104.9)
    assert breaker.wait_s(104.0) == 1.0
    assert breaker.ready(105.0)
    assert breaker.admit(105.0) is not None
    assert breaker.state == "half_open"


def test_half_open_it_lets_so_many_probes_through() -> None:
    breaker = opened()
    assert [breaker.admit(105.0) is not None for _ in range(4)] == [True, True, False, False]


def test_it_closes_when_all_probes_are_well() -> None:
    breaker = opened()
    assert tell(breaker, 105.0, False, False) == [False, True]
    assert breaker.state == "closed"
    assert tell(breaker, 105.0, True) == [False]  # and has forgotten what was


def test_a_probe_that_fails_opens_it_for_as_long_again() -> None:
    breaker = opened()
    assert tell(breaker, 105.0, False, True) == [False, True]
    assert breaker.state == "open"
    assert breaker.admit(109.9) is None
    assert breaker.admit(110.0) is not None


def test_a_probe_that_nobody_waits_for_makes_room_for_another() -> None:
    breaker = opened()
    tell(breaker, 105.0, None, None, None)
    assert breaker.admit(105.0) is not None


def test_what_began_before_it_opened_has_no_say_afterwards() -> None:
    breaker = Breaker(COUNT)
    late = [breaker.admit(100.0) for _ in range(2)]
    tell(breaker, 100.0, True, True, True)
    probe = breaker.admit(105.0)
    for ticket in late:
        assert ticket is not None
        assert not breaker.ended(ticket, True, 105.0)
    assert probe is not None
    assert breaker.ended(probe, False, 105.0)
    assert breaker.state == "closed"


@given(st.lists(st.tuples(st.floats(0, 4), st.sampled_from([True, False, None])), max_size=200))
def test_it_never_stays_shut_for_longer_than_its_time(steps: list[tuple[float, bool | None]]) -> None:
    breaker, now, refused_since = Breaker(COUNT), 100.0, None
    for seconds, failed in steps:
        now += seconds
        ticket = breaker.admit(now)
        if ticket is None:
            refused_since = now if refused_since is None else refused_since
            assert now - refused_since < COUNT.open_for_s
        else:
            refused_since = None
            breaker.ended(ticket, failed, now)
