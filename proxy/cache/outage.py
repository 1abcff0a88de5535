"""When to leave alone what does not answer. Pure: `now` is an argument."""

from msgspec import Struct


class Outage(Struct):
    """Open while something has failed: it is tried by one at a time, and not before a pause is over.

    The pause doubles with each failure in a row, up to `longest_s`.
    """

    first_s: float = 0.5
    longest_s: float = 5.0
    pause_s: float = 0.0
    try_at: float = 0.0

    @property
    def open(self) -> bool:
        """Whether the last try has failed."""
        return self.pause_s > 0

    def admit(self, now: float) -> bool:
        """Whether to try now. During an outage, whoever may is alone until the next pause is over."""
        if not self.open:
            return True
        if now < self.try_at:
            return False
        self.try_at = now + self.pause_s
        return True

    def succeeded(self) -> bool:
        """It answered; says whether an outage is over."""
        was_open, self.pause_s = self.open, 0.0
        return was_open

    def failed(self, now: float) -> bool:
        """It did not; says whether an outage begins. Those that were under way when it began change nothing."""
        begins = not self.open
        if begins or now >= self.try_at - self.pause_s:
            self.pause_s = self.first_s if begins else min(2 * self.pause_s, self.longest_s)
            self.try_at = now + self.pause_s
        return begins
