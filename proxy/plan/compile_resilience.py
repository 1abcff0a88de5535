"""What happens when an upstream fails: `retry` and `hedge` of calls and routes, `breaker` of upstreams."""

from functools import lru_cache

from proxy.config.calls import Call, Retry
from proxy.config.proxying import ProxyTimeouts
from proxy.config.upstreams import Breaker
from proxy.message import is_token
from proxy.plan.fields import statuses
from proxy.plan.proxying import TimeoutsPlan
from proxy.policy.breaker import BreakerPlan
from proxy.policy.retry import IDEMPOTENT, RetryPlan, idempotent
from proxy.problems import Place


def compile_retry(retry: Retry | None, place: Place) -> RetryPlan | None:
    """None where there is to be one attempt."""
    if retry is None:
        return None
    for index, method in enumerate(retry.methods or ()):
        if not is_token(method) or method != method.upper():
            (place / "methods" / index).problem("bad-method", f"{method!r} is not a method", "write GET, POST …")
    return None if retry.attempts == 1 else _retry_plan(retry)


@lru_cache(maxsize=1024)  # a large file has many calls and few ways to retry them
def _make_retry(
    attempts: int, patterns: tuple[str, ...], backoff_s: float, methods: tuple[str, ...] | None, per_try_s: float | None
) -> RetryPlan:
    return RetryPlan(attempts, statuses(patterns), backoff_s, idempotent(methods), per_try_s)


def _retry_plan(retry: Retry) -> RetryPlan:
    methods = None if retry.methods is None else tuple(retry.methods)
    return _make_retry(retry.attempts, tuple(retry.statuses), retry.backoff, methods, retry.per_try)


def compile_hedge(call: Call, method: str, place: Place) -> float | None:
    """Seconds until the second request; None without one."""
    if call.hedge is None:
        return None
    if method not in IDEMPOTENT:
        place.problem(
            "conflicting-keys", f"a {method} is never sent twice at once: it may change something", "leave hedge out",
            at_key=True,
        )  # fmt: skip
    if call.timeout is not None and call.hedge.after >= call.timeout:
        (place / "after").warning(
            "never-hedged",
            "the call's own time is over before",
            "make it less than timeout, about what 95 of 100 answers take",
            at_key=False,
        )
    return call.hedge.after


def compile_breaker(breaker: Breaker | None) -> BreakerPlan | None:
    """`failures` is a share or a number of them."""
    if breaker is None:
        return None
    is_share = isinstance(breaker.failures, float)
    return BreakerPlan(
        rate=breaker.failures if is_share else None,
        count=None if is_share else int(breaker.failures),
        window_s=breaker.window,
        min_calls=breaker.min_calls,
        open_for_s=breaker.open_for,
        probes=breaker.probes,
        per_endpoint=breaker.per == "endpoint",
    )


def compile_timeouts(own: ProxyTimeouts) -> TimeoutsPlan | None:
    """A route's limits; None where they are those of its upstream."""
    if not own.model_fields_set:
        return None
    return TimeoutsPlan(connect_s=own.connect, first_byte_s=own.first_byte, idle_s=own.idle)


def check_deadline_header(name: str | None, place: Place) -> str | None:
    """The name, after reporting what is none."""
    if name is not None and not is_token(name):
        (place / "deadline_header").problem("bad-header", f"{name!r} is not a header name")
    return name
