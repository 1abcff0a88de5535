"""How often: the generic cell rate algorithm (ITU-T I.371), one number for each key. Pure.

Law: in any stretch of time, at most `burst` requests, and one for each `seconds / count` of it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` in `seconds`, of which `burst` may come at once."""

    count: int
    seconds: float
    burst: int

    @property
    def interval_s(self) -> float:
        """Between two requests, on average."""
        return self.seconds / self.count


@dataclass(frozen=True, slots=True)
class Verdict:
    """`due` is what is to be kept for the key; `remaining` may still come at once; in `reset_s` it is all of the burst.

    `retry_s`: 0, or after how long one that was refused may come.
    """

    due: float
    remaining: int
    reset_s: float
    retry_s: float


def judge_apart(limit: Limit, wait_s: float, ahead_s: float) -> Verdict:
    """The verdict where somebody else keeps count: for how long one has to wait, and how far ahead the key is then."""
    if wait_s > 0:
        return Verdict(0.0, 0, ahead_s, wait_s)
    tolerance = limit.interval_s * limit.burst
    return Verdict(0.0, int((tolerance - ahead_s) / limit.interval_s + 1e-6), ahead_s, 0.0)


def judge(limit: Limit, due: float, now: float) -> Verdict:
    """A request comes; `due` is what was kept for its key, anything in the past if nothing was."""
    interval = limit.interval_s
    tolerance = interval * limit.burst
    start = max(due, now)
    wait = start + interval - now - tolerance
    if wait > 1e-9:
        return Verdict(due, 0, due - now, wait)
    after = start + interval
    return Verdict(after, int((tolerance - (after - now)) / interval + 1e-6), after - now, 0.0)
