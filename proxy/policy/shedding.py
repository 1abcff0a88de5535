"""How many requests a process takes on at once when more come than it can answer. Pure.

What says so is that the process itself is late: its timers fire `lag` seconds after they were due. A slow upstream does
not do that, however many requests wait for it, so there is no limit as long as there is time. When the process has been
late for `after_s`, the limit is half of what it has in hand, and less by a tenth as long as it is late; it grows by a
twentieth while it is not (additive increase would take minutes where thousands are in hand). It is gone when it has not
been reached for `after_s`.

Lateness is a median of ten pulses, so one pause, whatever it is of, is none.
"""

from collections import deque
from math import inf

FLOOR = 16
"""So many are always taken on: if these are too many, fewer would not help."""
PULSE_S = 0.02
_PULSES = 10
_EVERY = 5


class Shedding:
    """The limit of one process: it is told of every pulse."""

    __slots__ = ("_after_s", "_count", "_lag_s", "_lags", "_late_since", "_reached_at", "limit")

    def __init__(self, lag_s: float, after_s: float) -> None:
        self.limit = inf
        self._lag_s = lag_s
        self._after_s = after_s
        self._lags: deque[float] = deque(maxlen=_PULSES)
        self._count = 0
        self._late_since: float | None = None
        self._reached_at = 0.0

    def change(self, lag_s: float, after_s: float) -> None:
        """Other thresholds from now on."""
        self._lag_s, self._after_s = lag_s, after_s

    @property
    def calm(self) -> bool:
        """Whether it need not be told any more, with so little in hand."""
        return self.limit == inf and self._late_since is None

    def pulse(self, lag: float, active: int, now: float) -> None:
        """A timer fired `lag` seconds too late, with `active` requests in hand."""
        self._lags.append(lag)
        self._count += 1
        if active >= self.limit:
            self._reached_at = now
        if self._count % _EVERY or len(self._lags) < _PULSES:
            return
        if sorted(self._lags)[_PULSES // 2] > self._lag_s:
            self._late(active, now)
        else:
            self._in_time(active, now)

    def _late(self, active: int, now: float) -> None:
        if self._late_since is None:
            self._late_since = now
        if self.limit == inf and now - self._late_since < self._after_s:
            return
        share = 0.5 if self.limit == inf else 0.9
        self.limit = max(FLOOR, int(share * min(self.limit, active)))
        self._reached_at = now

    def _in_time(self, active: int, now: float) -> None:
        self._late_since = None
        if self.limit == inf:
            return
        if active >= 0.8 * self.limit:
            self.limit = int(self.limit * 1.05) + 1
        if now - self._reached_at >= self._after_s:
            self.limit = inf
