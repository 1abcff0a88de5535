import dataclasses

import pytest

from proxy.events import CallFinished, Event, Reloaded, ReloadFailed


@pytest.mark.parametrize(
    "event", [CallFinished("r", "c", "u", 200, 0.1, None), Reloaded(1, "x", 0.1), ReloadFailed("x", ())]
)
def test_what_happened_does_not_change(event: Event) -> None:
    name = dataclasses.fields(event)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(event, name, "other")


def test_equal_events_are_one() -> None:
    assert Reloaded(1, "start", 0.5) == Reloaded(1, "start", 0.5)
