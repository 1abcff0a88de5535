import pytest

from proxy.policy.health import Health, ramp


def test_several_failed_checks_in_a_row_make_ill() -> None:
    health = Health(passes=2, fails=3)
    assert [health.checked(passed) for passed in (False, False, True, False, False, False)] == [False] * 5 + [True]
    assert not health.healthy


def test_several_passed_checks_in_a_row_make_well_again() -> None:
    health = Health(passes=2, fails=1)
    health.checked(False)
    assert [health.checked(passed) for passed in (True, False, True, True)] == [False, False, False, True]
    assert health.healthy


@pytest.mark.parametrize("elapsed, share", [(0, 0.1), (5, 0.5), (10, 1.0), (11, 1.0)])
def test_a_slow_start_goes_from_a_tenth_to_all(elapsed: float, share: float) -> None:
    assert ramp(elapsed, 10) == share
