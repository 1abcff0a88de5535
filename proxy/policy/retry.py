"""Whether a request is made again, and when. Pure: chance and time are arguments.

What may be repeated is what has no effect when it is (RFC 9110 §9.2.2), or what an upstream cannot have seen: no
connection came about. What was answered is asked again only for the statuses that are named.
"""

from collections.abc import Collection
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from proxy.errors import UpstreamBusy, UpstreamFailed, UpstreamInvalid, UpstreamTimeout, UpstreamUnreachable

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
MAX_BACKOFF_S = 10.0
_RETRYABLE = (UpstreamUnreachable, UpstreamTimeout, UpstreamInvalid, UpstreamBusy)


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """`attempts` counts the first one. `per_try_s` ends one that takes longer."""

    attempts: int
    statuses: frozenset[int]
    backoff_s: float
    methods: frozenset[str] = IDEMPOTENT
    per_try_s: float | None = None


def may_repeat(plan: RetryPlan, method: str, error: Exception | None, status: int) -> bool:
    """Whether an attempt that ended so is one to make again."""
    if error is None:
        return status in plan.statuses and method in plan.methods
    if isinstance(error, UpstreamFailed) and error.unsent:
        return isinstance(error, _RETRYABLE)
    return isinstance(error, _RETRYABLE) and method in plan.methods


def delay(plan: RetryPlan, attempt: int, chance: float) -> float:
    """Seconds before the attempt after this one: between 0 and a bound that doubles each time.

    `chance` is between 0 and 1. All of it is chance, so that clients which failed together do not come back together.
    """
    return float(chance * min(MAX_BACKOFF_S, plan.backoff_s * 2 ** (attempt - 1)))


def retry_after(value: str, now: float) -> float | None:
    """The seconds of a Retry-After field (RFC 9110 §10.2.3), a number of them or a date; `now` is since 1970."""
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def wait_for(
    plan: RetryPlan, attempt: int, chance: float, asked_for: float | None, remaining_s: float | None
) -> float | None:
    """Seconds until the next attempt; None if there is to be none.

    An upstream that says when to come back (`asked_for`) is not asked before. What would begin after whoever waits has
    gone (`remaining_s`) is not begun.
    """
    if attempt >= plan.attempts:
        return None
    seconds = max(delay(plan, attempt, chance), asked_for or 0.0)
    if remaining_s is not None and seconds >= remaining_s:
        return None
    return None if asked_for is not None and asked_for > MAX_BACKOFF_S else seconds


def idempotent(methods: Collection[str] | None) -> frozenset[str]:
    """The methods to repeat: those that are named, or the idempotent ones."""
    return IDEMPOTENT if methods is None else frozenset(methods)
