from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.outlier import MAX_GROWTH, Outlier, Outliers


def test_failures_in_a_row_eject() -> None:
    rule, all_ = Outliers(3, 30.0, 1.0), [Outlier(), Outlier()]
    assert [rule.failed(all_[0], all_, 0.0) for _ in range(3)] == [None, None, 30.0]
    assert [one.ejected for one in all_] == [True, False]


def test_one_that_came_back_is_on_probation_and_is_out_for_longer() -> None:
    rule, one = Outliers(3, 30.0, 1.0), Outlier()
    for _ in range(3):
        rule.failed(one, [one], 0.0)
    rule.returned(one, 30.0)
    assert not one.ejected
    assert rule.failed(one, [one], 31.0) == 60.0


def test_one_that_was_well_for_long_enough_starts_anew() -> None:
    rule, one = Outliers(1, 30.0, 1.0), Outlier()
    rule.failed(one, [one], 0.0)
    rule.returned(one, 30.0)
    assert rule.failed(one, [one], 61.0) == 30.0


def test_the_time_out_has_a_ceiling() -> None:
    rule, one, now = Outliers(1, 1.0, 1.0), Outlier(), 0.0
    for _ in range(3 * MAX_GROWTH):
        now += rule.failed(one, [one], now) or 0.0
        rule.returned(one, now)
    assert rule.failed(one, [one], now) == MAX_GROWTH


@given(
    st.integers(1, 9),
    st.floats(0, 1),
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from(("failed", "well", "returned"))), max_size=80),
)
def test_max_ejected_is_never_exceeded(
    count: int, share: float, consecutive: int, steps: list[tuple[int, str]]
) -> None:
    rule, everybody = Outliers(consecutive, 1.0, share), [Outlier() for _ in range(count)]
    for now, (index, what) in enumerate(steps):
        one = everybody[index % count]
        if what == "failed":
            rule.failed(one, everybody, float(now))
        elif what == "well":
            one.failures = 0
        elif one.ejected:
            rule.returned(one, float(now))
        assert sum(other.ejected for other in everybody) <= share * count + 1e-9
