"""One goes upstream for what many ask at the same time; the others wait for what it brings."""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from proxy.cache.store import Stored
from proxy.clock import monotonic

# For so long nobody waits for an answer that has just proved to be one that cannot be shared.
_UNSHARED_S = 10.0
_MOST_UNSHARED = 50_000


class Landed(Struct, frozen=True):
    """An answer that may be shared. `slot` is what it is kept under, `names` the fields of its Vary that part it."""

    slot: str
    names: tuple[str, ...]
    stored: Stored


Landing = Landed | str
# How it may end otherwise: everybody for himself, or somebody else goes.
ALONE, AGAIN = "alone", "again"

Lane = tuple[str, bool, bool, bool]
"""Those who may wait for each other: one key, and what else decides whether an answer may be shared."""
Land = Callable[[Landing], None]


class Landings:
    """Who is under way, by lane, and which lanes have been found to bring nothing for others."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._flights: dict[Lane, asyncio.Future[Landing]] = {}
        self._unshared: dict[int, float] = {}
        self._now = now

    def __len__(self) -> int:
        return len(self._flights)

    def begin(self, lane: Lane) -> Land | None:
        """Be the one who goes: gives what must be called once, sooner or later. None if somebody is under way."""
        if lane in self._flights:
            return None
        flight = self._flights[lane] = asyncio.get_running_loop().create_future()

        def land(landing: Landing) -> None:
            if not flight.done():
                flight.set_result(landing)
                del self._flights[lane]

        return land

    async def wait(self, lane: Lane, until: float) -> Landing:
        """What the one under way brings; `ALONE` if that takes too long."""
        seconds = until - self._now()
        if seconds <= 0:
            return ALONE
        try:
            async with asyncio.timeout(seconds):
                # Who stops waiting stops nobody else.
                return await asyncio.shield(self._flights[lane])
        except TimeoutError:
            return ALONE

    def is_unshared(self, lane: Lane) -> bool:
        """Whether the last one brought nothing that may be shared, a moment ago."""
        until = self._unshared.get(hash(lane))
        if until is None:
            return False
        if until > self._now():
            return True
        del self._unshared[hash(lane)]
        return False

    def share(self, lane: Lane) -> None:
        """It brings something that may be shared after all."""
        self._unshared.pop(hash(lane), None)

    def unshare(self, lane: Lane) -> None:
        """For a while nobody waits here. Of the lane only its hash is kept: keys are long, and many."""
        if len(self._unshared) >= _MOST_UNSHARED:
            self._unshared.clear()
        self._unshared[hash(lane)] = self._now() + _UNSHARED_S
