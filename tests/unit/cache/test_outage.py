from proxy.cache.outage import Outage


def test_what_answers_is_always_asked() -> None:
    outage = Outage()
    assert outage.admit(0.0)
    assert not outage.succeeded()
    assert outage.admit(0.0)


def test_after_a_failure_one_at_a_time_tries_again_when_the_pause_is_over() -> None:
    outage = Outage(first_s=1.0)
    assert outage.failed(10.0)
    assert [outage.admit(now) for now in (10.0, 10.9, 11.0, 11.0, 11.9)] == [False, False, True, False, False]
    assert outage.succeeded()
    assert [outage.admit(11.0), outage.admit(11.0)] == [True, True]


def test_the_pause_doubles_up_to_a_bound() -> None:
    outage = Outage(first_s=1.0, longest_s=3.0)
    outage.failed(0.0)
    pauses = []
    now = 0.0
    for _ in range(4):
        pauses.append(outage.try_at - now)
        now = outage.try_at
        assert outage.admit(now)
        assert not outage.failed(now)
    assert pauses == [1.0, 2.0, 3.0, 3.0]


def test_those_who_were_under_way_when_it_began_prolong_nothing() -> None:
    outage = Outage(first_s=1.0)
    outage.failed(0.0)
    outage.admit(1.0)
    outage.failed(1.0)
    until = outage.try_at
    assert not outage.failed(0.5)
    assert outage.try_at == until
