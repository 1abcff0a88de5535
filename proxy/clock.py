"""The one module that reads the time. Everything else is told what time it is."""

import time
from datetime import UTC, datetime

# Durations and deadlines are differences of this clock; it never goes backwards.
monotonic = time.monotonic


def timestamp() -> str:
    """The current moment as RFC 3339 text in UTC with milliseconds, for logs."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unix_seconds() -> float:
    """Seconds since 1970, for metrics that state a moment."""
    return time.time()
