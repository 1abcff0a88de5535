"""Passive ejection: who fails several times in a row gets no requests for a while. Pure.

Each time it takes longer, until an endpoint has been well for as long as it was last out. One that comes back is on
probation: its first failure puts it out again. A success costs nothing but setting a number back to 0.
"""

from collections.abc import Sequence

# Times `eject_for`, at most: Envoy's limit is 300 s, ten times its default.
MAX_GROWTH = 10


class Outlier:
    """What is known of one endpoint. `failures` are those in a row: whoever sees a success sets it to 0."""

    __slots__ = ("back_at", "failures", "times", "until", "was_out_s")

    def __init__(self) -> None:
        self.failures = 0
        self.times = 0  # that it was put out, since it was last well for long
        self.back_at = 0.0
        self.until: float | None = None  # out as long as it is not None
        self.was_out_s = 0.0

    @property
    def ejected(self) -> bool:
        return self.until is not None


class Outliers:
    """The rule of an upstream. `max_ejected` is a share of the endpoints, never exceeded: of three, 50% are one."""

    def __init__(self, consecutive: int, eject_for_s: float, max_ejected: float) -> None:
        self._consecutive = consecutive
        self._eject_for_s = eject_for_s
        self._max_ejected = max_ejected

    def failed(self, one: Outlier, everybody: Sequence[Outlier], now: float) -> float | None:
        """An endpoint has failed. Gives the seconds for which it is out from now on, if it is."""
        one.failures += 1
        if one.ejected or one.failures < self._consecutive:
            return None
        out = sum(other.ejected for other in everybody)
        if out + 1 > self._max_ejected * len(everybody) + 1e-9:
            return None
        if one.times and now - one.back_at > one.was_out_s:
            one.times = 0
        one.times += 1
        one.was_out_s = self._eject_for_s * min(one.times, MAX_GROWTH)
        one.until = now + one.was_out_s
        return one.was_out_s

    def returned(self, one: Outlier, now: float) -> None:
        """Its time is over, or an active check has found it well."""
        one.until = None
        one.failures = self._consecutive - 1
        one.back_at = now
