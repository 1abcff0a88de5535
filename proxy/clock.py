"""The one module that reads the time. Everything else is told what time it is."""

import time
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

# Durations and deadlines are differences of this clock; it never goes backwards.
monotonic = time.monotonic


def timestamp() -> str:
    """The current moment as RFC 3339 text in UTC with milliseconds, for logs."""
    now = time.time()
    return f"{_second(int(now))}.{int(now * 1000) % 1000:03d}Z"


@lru_cache(maxsize=2)  # the same for every line of a second
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def http_date() -> str:
    """The current moment as HTTP writes it (RFC 9110 §5.6.7)."""
    return _http_date(int(time.time()))


@lru_cache(maxsize=2)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def unix_seconds() -> float:
    """Seconds since 1970, for metrics that state a moment."""
    return time.time()
