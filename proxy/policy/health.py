"""What active checks mean: several in a row change an endpoint's state, so that one lost packet does not. Pure."""


class Health:
    """One endpoint, well until `fails` checks in a row say otherwise, then ill until `passes` in a row do."""

    __slots__ = ("_fails", "_passes", "_run", "healthy")

    def __init__(self, passes: int, fails: int) -> None:
        self._passes = passes
        self._fails = fails
        self._run = 0  # of checks that contradict the state
        self.healthy = True

    def checked(self, passed: bool) -> bool:
        """A check has ended; True if that changes the state."""
        if passed == self.healthy:
            self._run = 0
            return False
        self._run += 1
        if self._run < (self._passes if passed else self._fails):
            return False
        self._run = 0
        self.healthy = passed
        return True


def ramp(elapsed_s: float, slow_start_s: float) -> float:
    """The share of its weight that an endpoint has so long after it came back: from a tenth up to all of it."""
    if elapsed_s >= slow_start_s:
        return 1.0
    return max(0.1, elapsed_s / slow_start_s)
