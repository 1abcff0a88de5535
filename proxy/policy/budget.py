"""How many requests an upstream gets beside those that somebody asked for: retries and hedges. Pure.

Law: in any stretch of time, extra requests are at most `share` of the ordinary ones, and one a second, and `RESERVE`.
So an upstream that fails for everybody gets a fifth more, and not twice or three times what it cannot answer anyway.
"""

RESERVE = 10.0
"""What is kept for when it is needed: a fault at a quiet time finds so many at once."""
PER_SECOND = 1.0
"""Where there are few requests, a share of them is nothing."""


class Budget:
    """One upstream's."""

    __slots__ = ("_at", "_left", "share")

    def __init__(self, share: float) -> None:
        self.share = share
        self._left = RESERVE
        self._at = 0.0

    def asked(self, now: float) -> None:
        """An ordinary request has been made."""
        self._left = min(RESERVE, self._left + self.share + self._earned(now))

    def take(self, now: float) -> bool:
        """Whether there may be an extra request now; it is then counted."""
        self._left = min(RESERVE, self._left + self._earned(now))
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def _earned(self, now: float) -> float:
        seconds, self._at = now - self._at, now
        return min(max(seconds, 0.0) * PER_SECOND, RESERVE) if self.share else 0.0
