import asyncio

import pytest

from proxy.cache.store import Stored
from proxy.policy.freshness import Terms
from proxy.server import landing
from proxy.server.landing import ALONE, Landed, Landings

LANE = ("a", False, False, False)
LANDED = Landed("a", (), Stored(200, [], b"", Terms(age_s=0.0, fresh_s=1.0), 0.0))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_one_goes_and_the_others_get_what_it_brings() -> None:
    landings = Landings(Clock())
    land = landings.begin(LANE)
    assert land is not None
    assert landings.begin(LANE) is None
    waiting = [asyncio.ensure_future(landings.wait(LANE, 105.0)) for _ in range(3)]  # noqa: TID251 – the test waits
    await asyncio.sleep(0)
    land(LANDED)
    land(ALONE)  # the first word counts
    assert await asyncio.gather(*waiting) == [LANDED] * 3
    assert len(landings) == 0
    assert landings.begin(LANE) is not None


async def test_who_has_waited_long_enough_goes_by_himself() -> None:
    landings = Landings(Clock())
    assert landings.begin(LANE) is not None
    assert await landings.wait(LANE, 100.0) == ALONE
    assert await landings.wait(LANE, 100.001) == ALONE


async def test_who_gives_up_waiting_stops_nobody_else() -> None:
    landings = Landings(Clock())
    land = landings.begin(LANE)
    assert land is not None
    first, second = (asyncio.ensure_future(landings.wait(LANE, 105.0)) for _ in range(2))  # noqa: TID251
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    land(LANDED)
    assert await second is LANDED


def test_what_brought_nothing_is_not_waited_for_for_a_while() -> None:
    clock = Clock()
    landings = Landings(clock)
    assert not landings.is_unshared(LANE)
    landings.unshare(LANE)
    assert landings.is_unshared(LANE)
    assert not landings.is_unshared(("a", True, False, False))
    clock.now += 11
    assert not landings.is_unshared(LANE)
    landings.unshare(LANE)
    landings.share(LANE)
    assert not landings.is_unshared(LANE)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "_MOST_UNSHARED", 2)
    landings = Landings(Clock())
    for name in "abc":
        landings.unshare((name, False, False, False))
    assert len(landings._unshared) == 1
