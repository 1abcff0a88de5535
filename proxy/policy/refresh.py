"""When something is fetched anew: because of its age, or because somebody misses a thing in it."""

from msgspec import Struct


class Refresh(Struct, frozen=True):
    """After `interval_s` it is old; between two attempts `cooldown_s` pass, whoever asks and however the last ended.

    `fetched_at` is when it last succeeded, `tried_at` when it was last tried; None: never.
    """

    interval_s: float
    cooldown_s: float
    fetched_at: float | None = None
    tried_at: float | None = None

    def is_due(self, now: float) -> bool:
        """Whether it is old, and it may be tried."""
        old = self.fetched_at is None or now - self.fetched_at >= self.interval_s
        return old and self.may_try(now)

    def may_try(self, now: float) -> bool:
        """Whether the last attempt is long enough ago."""
        return self.tried_at is None or now - self.tried_at >= self.cooldown_s
