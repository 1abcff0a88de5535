"""`rate_limit` and `concurrency` of a route: models → plans."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from proxy.config.ratelimit import Concurrency, RateLimit
from proxy.config.server import Server
from proxy.document import scalar_text
from proxy.expr.expression import Expression, compile_string, or_missing
from proxy.expr.scope import REQUEST_ROOTS, Evaluate, Scope, Vocabulary
from proxy.plan.ratelimit import ConcurrencyPlan, RateLimitPlan
from proxy.plan.stores import check_redis
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
        expression = _compile_key(one.key, names, here / "key")
        if expression is None:
            continue
        count, seconds = one.rate
        plans.append(
            RateLimitPlan(
                route=route,
                name=one.name,
                limit=Limit(count, seconds, one.burst or count),
                key_text=one.key,
                roots=frozenset(reference.root for reference in expression.reads) | {"client"},
                when_away=one.when_away,
                key=_key(or_missing(expression.evaluate)),
            )
        )
    return tuple(plans)


def compile_concurrency(
    concurrency: Concurrency | None, route: str, names: Vocabulary, place: Place
) -> ConcurrencyPlan | None:
    """None where any number may be under way."""
    if concurrency is None:
        return None
    if concurrency.key is None:
        return ConcurrencyPlan(route=route, limit=concurrency.limit)
    names = replace(names, request=REQUEST_ROOTS - {"body"})
    expression = _compile_key(concurrency.key, names, place / "key")
    if expression is None:
        return None
    return ConcurrencyPlan(
        route=route,
        limit=concurrency.limit,
        key_text=concurrency.key,
        roots=frozenset(reference.root for reference in expression.reads) | {"client"},
        key=_key(or_missing(expression.evaluate)),
    )


def check_limit_store(server: Server, place: Place) -> None:
    """Whether `limit_store` can be used."""
    if server.limit_store != "memory":
        check_redis(server.limit_store, "counts", "write memory, or redis://host:6379/0", place)


def _compile_key(text: str, names: Vocabulary, place: Place) -> Expression | None:
    """The expression of who is counted together; None after reporting a problem."""
    try:
        expression = compile_string(text, names)
    except Invalid as error:
        place.invalid(error)
        return None
    if expression.plural:
        place.problem("plural-path", "one value is needed here, not a list", "select one with an index")
    return expression


def _key(evaluate: Evaluate) -> Callable[[Scope], str | None]:
    return lambda scope: scalar_text(evaluate(scope))
