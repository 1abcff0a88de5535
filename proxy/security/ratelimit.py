"""Limits how often a route is asked, and says so (draft-ietf-httpapi-ratelimit-headers-10).

What is kept for a key is one number. Nothing is counted unless every limit of the route lets the request in, so who is
refused by one is not charged by another.
"""

from collections.abc import Awaitable, Callable, Sequence
from math import ceil

from proxy.clock import monotonic
from proxy.engine.context import scope_maker
from proxy.errors import TooManyRequests
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


def rate_limiting(
    plans: Sequence[RateLimitPlan], counts: AllCounts, now: Callable[[], float] = monotonic
) -> Layer | None:
    """The layer of a route's limits; None if it has none."""
    if not plans:
        return None
    limits = [(plan, counts.setdefault(plan, Counts())) for plan in plans]
    make_scope = scope_maker(frozenset().union(*[plan.roots for plan in plans]))
    policy = ", ".join(f'"{plan.name}";q={plan.limit.count};w={ceil(plan.limit.seconds)}' for plan in plans)

    def judge_all(request: Request) -> list[Verdict]:
        scope, moment = make_scope(request), now()
        judged = []
        for plan, kept in limits:
            key = plan.key(scope)
            # Who has no such value is counted by address, and never together with somebody who has it.
            key = f"={key}" if key is not None else f"@{request.client_ip}"
            judged.append((kept, key, judge(plan.limit, kept.due(key), moment)))
        if not any([verdict.retry_s for _, _, verdict in judged]):
            for kept, key, verdict in judged:
                kept.keep(key, verdict.due, moment)
        return [verdict for _, _, verdict in judged]

    def told(verdicts: list[Verdict]) -> str:
        pairs = zip(plans, verdicts, strict=True)
        return ", ".join([f'"{plan.name}";r={one.remaining};t={ceil(max(0.0, one.reset_s))}' for plan, one in pairs])

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def limited(request: Request) -> Response:
            verdicts = judge_all(request)
            retry_s = max([verdict.retry_s for verdict in verdicts])
            if retry_s:
                raise TooManyRequests(retry_s, {"RateLimit-Policy": policy, "RateLimit": told(verdicts)})
            response = await inner(request)
            response.headers["RateLimit-Policy"] = policy
            response.headers["RateLimit"] = told(verdicts)
            return response

        return limited

    return layer
