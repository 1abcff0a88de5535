from proxy.policy.refresh import Refresh


def test_what_was_never_fetched_is_due_until_it_is_tried_and_again_after_the_cooldown() -> None:
    assert Refresh(600, 30).is_due(0)
    assert not Refresh(600, 30, None, 10).is_due(39)
    assert Refresh(600, 30, None, 10).is_due(40)


def test_what_was_fetched_is_due_when_it_is_old() -> None:
    assert not Refresh(600, 30, 0, 0).is_due(599)
    assert Refresh(600, 30, 0, 0).is_due(600)


def test_what_is_missed_may_be_asked_for_once_per_cooldown() -> None:
    assert not Refresh(600, 30, 0, 0).may_try(29)
    assert Refresh(600, 30, 0, 0).may_try(30)
