from proxy.policy.shedding import Shedding


def test_a_pause_refuses_nobody() -> None:
    shedding = Shedding(0.1, 1.0)
    assert not any(shedding.sheds(0.9, 100.0 + at / 100) for at in range(90))


def test_who_waited_too_long_is_refused_at_once() -> None:
    assert Shedding(0.1, 1.0).sheds(1.1, 100.0)


def test_lateness_that_goes_on_is_an_overload() -> None:
    shedding = Shedding(0.1, 1.0)
    told = [shedding.sheds(0.2, 100.0 + at / 10) for at in range(15)]
    assert told == [False] * 10 + [True] * 5


def test_it_is_over_when_requests_have_been_in_time_for_a_while() -> None:
    shedding = Shedding(0.1, 1.0)
    for at in range(20):
        shedding.sheds(0.2, 100.0 + at / 10)
    assert not shedding.sheds(0.2, 102.5)


def test_pauses_that_come_now_and_then_are_not_one() -> None:
    shedding = Shedding(0.1, 1.0)
    assert not any(shedding.sheds(0.2, 100.0 + at * 0.6) for at in range(50))


def test_its_limits_may_change() -> None:
    shedding = Shedding(0.1, 1.0)
    shedding.change(0.3, 0.5)
    assert shedding.wait_s == 0.3
    assert shedding.sheds(0.6, 100.0)
