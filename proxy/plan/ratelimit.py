"""The limits of a route."""

from collections.abc import Callable
from dataclasses import dataclass, field

from proxy.expr.scope import Scope
from proxy.policy.ratelimit import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitPlan:
    """`key` gives who is counted, None where there is nobody to tell. Equal plans go on counting over a reload."""

    route: str
    name: str
    limit: Limit
    key_text: str
    roots: frozenset[str]
    key: Callable[[Scope], str | None] = field(compare=False, repr=False)
