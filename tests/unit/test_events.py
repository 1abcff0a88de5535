import pytest

from proxy.events import CacheLooked, CallFinished, Event, Reloaded, ReloadFailed


@pytest.mark.parametrize(
    "event",
    [
        CallFinished("r", "c", "u", 200, 0.1, None),
        CacheLooked("r", "c", "hit", 1),
        Reloaded(1, "x", 0.1),
        ReloadFailed("x", ()),
    ],
)
def test_what_happened_does_not_change(event: Event) -> None:
    with pytest.raises(AttributeError):
        setattr(event, event.__struct_fields__[0], "other")


def test_equal_events_are_one() -> None:
    assert Reloaded(1, "start", 0.5) == Reloaded(1, "start", 0.5)
