"""`rate_limit` of a route: model → plans."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from proxy.config.ratelimit import RateLimit
from proxy.document import scalar_text
from proxy.expr.expression import compile_string, or_missing
from proxy.expr.scope import REQUEST_ROOTS, Evaluate, Scope, Vocabulary
from proxy.plan.ratelimit import RateLimitPlan
from proxy.policy.ratelimit import Limit
from proxy.problems import Invalid, Place


def compile_rate_limits(
    limits: Sequence[RateLimit], route: str, names: Vocabulary, place: Place
) -> tuple[RateLimitPlan, ...]:
    """One plan for each limit. A key cannot be in the body: that would be read before anybody is refused."""
    plans = []
    seen: set[str] = set()
    names = replace(names, request=REQUEST_ROOTS - {"body"})
    for index, one in enumerate(limits):
        here = place / index
        if one.name in seen:
            (here / "name").problem("duplicate-name", f"two limits are called {one.name!r}", "give each a name")
        seen.add(one.name)
        try:
            expression = compile_string(one.key, names)
        except Invalid as error:
            (here / "key").invalid(error)
            continue
        if expression.plural:
            (here / "key").problem("plural-path", "one value is needed here, not a list", "select one with an index")
        count, seconds = one.rate
        plans.append(
            RateLimitPlan(
                route=route,
                name=one.name,
                limit=Limit(count, seconds, one.burst or count),
                key_text=one.key,
                roots=frozenset(reference.root for reference in expression.reads) | {"client"},
                key=_key(or_missing(expression.evaluate)),
            )
        )
    return tuple(plans)


def _key(evaluate: Evaluate) -> Callable[[Scope], str | None]:
    return lambda scope: scalar_text(evaluate(scope))
