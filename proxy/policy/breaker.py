"""The circuit breaker (Nygard, "Release It!"): an upstream that fails too often is left alone for a while. Pure.

Closed, it counts what failed within a window that slides by tenths. Open, nothing is sent. Once its time is over it is
half open: a few probes go through, one after the other or at once; when all have been well it closes, and one that
fails opens it again.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

_SLICES = 10

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class BreakerPlan:
    """Opens at `rate` (a share of at least `min_calls` requests) or at `count` failures within `window_s`."""

    rate: float | None = 0.5
    count: int | None = None
    window_s: float = 10.0
    min_calls: int = 20
    open_for_s: float = 5.0
    probes: int = 1
    per_endpoint: bool = False


class Breaker:
    """`admit` before each request, `ended` with its ticket after it."""

    __slots__ = ("_good", "_opened_at", "_plan", "_probing", "_slices", "_ticket", "state")

    def __init__(self, plan: BreakerPlan) -> None:
        self._plan = plan
        self.state: State = "closed"
        self._slices: deque[list[float]] = deque()  # when each began, its requests, its failures
        self._opened_at = 0.0
        self._ticket = 0  # of this stretch of this state: what began in another has no say
        self._probing = self._good = 0

    def ready(self, now: float) -> bool:
        """Whether a request would be let through."""
        if self.state == "closed":
            return True
        if self.state == "open":
            return now - self._opened_at >= self._plan.open_for_s
        return self._probing + self._good < self._plan.probes

    def admit(self, now: float) -> int | None:
        """A ticket for a request; None if there is to be none."""
        if self.state == "closed":
            return self._ticket
        if not self.ready(now):
            return None
        if self.state == "open":
            self._turn("half_open")
            self._probing = self._good = 0
        self._probing += 1
        return self._ticket

    def wait_s(self, now: float) -> float:
        """How long it stays open."""
        return max(0.0, self._opened_at + self._plan.open_for_s - now) if self.state == "open" else 0.0

    def ended(self, ticket: int, failed: bool | None, now: float) -> bool:
        """A request has ended; True if that changes the state. `failed` is None if it says nothing of the upstream."""
        if ticket != self._ticket:
            return False
        if self.state == "half_open":
            return self._probed(failed, now)
        if failed is None:
            return False
        slice_ = self._slice(now)
        slice_[1] += 1
        if not failed:
            return False
        slice_[2] += 1
        if not self._too_many():
            return False
        self._open(now)
        return True

    def _probed(self, failed: bool | None, now: float) -> bool:
        self._probing -= 1
        if failed is None:
            return False
        if failed:
            self._open(now)
            return True
        self._good += 1
        if self._good < self._plan.probes:
            return False
        self._turn("closed")
        return True

    def _open(self, now: float) -> None:
        self._opened_at = now
        self._slices.clear()
        self._turn("open")

    def _turn(self, state: State) -> None:
        self.state = state
        self._ticket += 1

    def _slice(self, now: float) -> list[float]:
        """That of now, those before the window being gone."""
        slices, length = self._slices, self._plan.window_s / _SLICES
        while slices and slices[0][0] <= now - self._plan.window_s:
            slices.popleft()
        if not slices or slices[-1][0] + length <= now:
            slices.append([now, 0, 0])
        return slices[-1]

    def _too_many(self) -> bool:
        plan = self._plan
        failed = sum(slice_[2] for slice_ in self._slices)
        if plan.count is not None:
            return failed >= plan.count
        asked = sum(slice_[1] for slice_ in self._slices)
        assert plan.rate is not None
        return asked >= plan.min_calls and failed >= plan.rate * asked
