"""The limits of a route."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from proxy.expr.scope import Scope
from proxy.policy.ratelimit import Limit

WhenAway = Literal["local", "allow", "refuse"]
"""What becomes of requests while the store of all processes is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitPlan:
    """`key` gives who is counted, None where there is nobody to tell. Equal plans go on counting over a reload."""

    route: str
    name: str
    limit: Limit
    key_text: str
    roots: frozenset[str]
    when_away: WhenAway = "local"
    key: Callable[[Scope], str | None] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyPlan:
    """So many requests at once of those with the same key; without one, of all. Equal plans go on counting."""

    route: str
    limit: int
    key_text: str = ""
    roots: frozenset[str] = frozenset()
    key: Callable[[Scope], str | None] | None = field(default=None, compare=False, repr=False)
