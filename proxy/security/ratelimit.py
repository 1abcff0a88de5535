"""Limits how often a route is asked, and says so (draft-ietf-httpapi-ratelimit-headers-10).

What is kept for a key is one number. Nothing is counted unless every limit of the route lets the request in, so who is
refused by one is not charged by another.
"""

from collections.abc import Awaitable, Callable, Sequence
from math import ceil
from typing import Protocol

from proxy.clock import monotonic
from proxy.engine.context import scope_maker
from proxy.errors import LimitsUnavailable, TooManyRequests
from proxy.message import Request, Response
from proxy.plan.ratelimit import RateLimitPlan
from proxy.policy.ratelimit import Verdict, judge
from proxy.service import Layer, Service

MAX_KEYS = 100_000
"""Of one limit: who would need more is somebody who makes them up."""


class Counts:
    """What is kept of one limit: when each key is due. Bounded; of those that are over nothing is lost."""

    __slots__ = ("_due", "_most")

    def __init__(self, most: int = MAX_KEYS) -> None:
        self._due: dict[str, float] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._due)

    def due(self, key: str) -> float:
        """What was kept for a key; long ago for one that is new."""
        return self._due.get(key, 0.0)

    def keep(self, key: str, due: float, now: float) -> None:
        """Keep it, making room if it must be."""
        if key not in self._due and len(self._due) >= self._most:
            self._make_room(now)
        self._due[key] = due

    def _make_room(self, now: float) -> None:
        self._due = {key: due for key, due in self._due.items() if due > now}
        if len(self._due) >= self._most:
            # Those that are due soonest have the least to lose.
            kept = sorted(self._due.items(), key=lambda pair: -pair[1])[: self._most // 2]
            self._due = dict(kept)


AllCounts = dict[RateLimitPlan, Counts]
"""Kept over a reload: a limit that did not change goes on counting."""


class Shared(Protocol):
    """Where all processes count together."""

    async def judge(self, limits: Sequence[RateLimitPlan], keys: Sequence[str], /) -> list[Verdict] | None:
        """The verdict of each limit; None while nobody can tell. All of them count the request, or none does."""
        ...


def rate_limiting(
    plans: Sequence[RateLimitPlan],
    counts: AllCounts,
    now: Callable[[], float] = monotonic,
    shared: Shared | None = None,
) -> Layer | None:
    """The layer of a route's limits, counted in `shared` if there is one; None if it has none."""
    if not plans:
        return None
    kept = {plan: counts.setdefault(plan, Counts()) for plan in plans}
    make_scope = scope_maker(frozenset().union(*[plan.roots for plan in plans]))
    policy = ", ".join(f'"{plan.name}";q={plan.limit.count};w={ceil(plan.limit.seconds)}' for plan in plans)
    alone = [plan for plan in plans if plan.when_away == "local"]
    refuses = any(plan.when_away == "refuse" for plan in plans)

    def keys_of(request: Request) -> dict[RateLimitPlan, str]:
        scope = make_scope(request)
        keys = {plan: plan.key(scope) for plan in plans}
        # Who has no such value is counted by address, and never together with somebody who has it.
        return {plan: f"={key}" if key is not None else f"@{request.client_ip}" for plan, key in keys.items()}

    def judge_here(limits: Sequence[RateLimitPlan], keys: dict[RateLimitPlan, str]) -> list[Verdict]:
        moment = now()
        verdicts = [judge(plan.limit, kept[plan].due(keys[plan]), moment) for plan in limits]
        if not any([verdict.retry_s for verdict in verdicts]):
            for plan, verdict in zip(limits, verdicts, strict=True):
                kept[plan].keep(keys[plan], verdict.due, moment)
        return verdicts

    async def judge_together(keys: dict[RateLimitPlan, str]) -> tuple[Sequence[RateLimitPlan], list[Verdict]]:
        assert shared is not None
        verdicts = await shared.judge(plans, list(keys.values()))
        if verdicts is not None:
            return plans, verdicts
        if refuses:
            raise LimitsUnavailable
        return alone, judge_here(alone, keys)

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def limited(request: Request) -> Response:
            keys = keys_of(request)
            limits, verdicts = (plans, judge_here(plans, keys)) if shared is None else await judge_together(keys)
            retry_s = max([verdict.retry_s for verdict in verdicts], default=0.0)
            if retry_s:
                raise TooManyRequests(retry_s, {"RateLimit-Policy": policy, "RateLimit": _told(limits, verdicts)})
            response = await inner(request)
            response.headers["RateLimit-Policy"] = policy
            if verdicts:
                response.headers["RateLimit"] = _told(limits, verdicts)
            return response

        return limited

    return layer


def _told(plans: Sequence[RateLimitPlan], verdicts: Sequence[Verdict]) -> str:
    pairs = zip(plans, verdicts, strict=True)
    return ", ".join([f'"{plan.name}";r={one.remaining};t={ceil(max(0.0, one.reset_s))}' for plan, one in pairs])
