"""How an upstream chooses among its endpoints, and who is left out: `balance`, `health`, `outlier`, `slow_start`.

The expression of `hash` is the upstream's, but reads the request of whichever route asks it. So it is compiled once,
knowing every route's parameters, and what it reads is added to what those routes make of a request.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import gcd
from typing import Any, TypedDict

from msgspec import structs

from proxy.config.model import Route
from proxy.config.upstreams import Health, Outlier, Upstream
from proxy.document import scalar_text
from proxy.errors import ExtractionFailed
from proxy.expr.expression import Expression, compile_string
from proxy.expr.scope import REQUEST_ROOTS, Scope, Vocabulary
from proxy.plan.fields import statuses
from proxy.plan.nodes import CompositePlan, RoutePlan
from proxy.plan.pattern import Param, parse_pattern
from proxy.plan.proxying import ProxyPlan
from proxy.plan.upstreams import HealthPlan, OutlierPlan, UpstreamPlan
from proxy.problems import Invalid, Place


class Balancing(TypedDict):
    """Fields of `UpstreamPlan`."""

    weights: tuple[int, ...]
    balance: str
    hash_text: str
    health: HealthPlan | None
    outlier: OutlierPlan | None
    slow_start_s: float


def compile_balance(upstream: Upstream, place: Place) -> Balancing:
    """All but the expression of `hash`, which takes the routes."""
    balance = upstream.balance
    if balance.hash is not None and "policy" in balance.model_fields_set:
        (place / "balance" / "policy").problem("conflicting-keys", "hash is a policy of its own", "leave out one")
    if upstream.slow_start is not None and balance.hash is not None:
        (place / "slow_start").problem(
            "conflicting-keys", "a slow start would move keys ten times over", "leave it out beside hash", at_key=True
        )
    return {
        "weights": _weights(upstream),
        "balance": "hash" if balance.hash is not None else balance.policy,
        "hash_text": balance.hash or "",
        "health": _compile_health(upstream.health, place / "health") if upstream.health is not None else None,
        "outlier": _compile_outlier(upstream.outlier, upstream, place / "outlier")
        if upstream.outlier is not None
        else None,
        "slow_start_s": upstream.slow_start or 0.0,
    }


def _weights(upstream: Upstream) -> tuple[int, ...]:
    """None where all are alike; 100 and 50 are 2 and 1."""
    weights = [one.weight for one in upstream.urls]
    if len(set(weights)) <= 1:
        return ()
    unit = gcd(*weights)
    return tuple(weight // unit for weight in weights)


def _compile_health(health: Health, place: Place) -> HealthPlan:
    path = health.path
    if not path.startswith("/") or not path.isascii() or any(char <= " " or char in "#\x7f" for char in path):
        (place / "path").problem("bad-url", f"{path!r} is not a path", "write /healthz, percent-encoded")
    if health.timeout > health.interval:
        (place / "timeout").problem(
            "bad-duration", "a check may take longer than the time between two", "make it less than interval"
        )
    return HealthPlan(
        path=path,
        interval_s=health.interval,
        timeout_s=health.timeout,
        passes=health.passes,
        fails=health.fails,
        statuses=statuses(tuple(health.status)),
    )


def _compile_outlier(outlier: Outlier, upstream: Upstream, place: Place) -> OutlierPlan:
    count = len(upstream.urls)
    if count and 0 < outlier.max_ejected < 1 / count:
        (place / "max_ejected").warning(
            "never-ejected",
            f"{outlier.max_ejected:.0%} of {count} {'endpoints' if count > 1 else 'endpoint'} is none",
            f"write {-(-100 // count)}% or more, or 0% to say so",
            at_key=False,
        )
    return OutlierPlan(
        consecutive=outlier.consecutive_5xx, eject_for_s=outlier.eject_for, max_ejected=outlier.max_ejected
    )


def compile_hashes(
    upstreams: Mapping[str, UpstreamPlan],
    routes: Sequence[tuple[int, Route]],
    constants: tuple[tuple[str, Any], ...],
    place: Place,
) -> dict[str, UpstreamPlan]:
    """The upstreams with their expressions compiled. A body is not read for them: it may be streamed."""
    if not any(plan.hash_text for plan in upstreams.values()):
        return dict(upstreams)
    names = Vocabulary(params=_all_params(routes), constants=constants, request=REQUEST_ROOTS - {"body"})
    return {name: _compile_hash(plan, names, place / name / "balance" / "hash") for name, plan in upstreams.items()}


def _compile_hash(plan: UpstreamPlan, names: Vocabulary, place: Place) -> UpstreamPlan:
    if not plan.hash_text:
        return plan
    try:
        expression = compile_string(plan.hash_text, names)
    except Invalid as error:
        place.invalid(error)
        return plan
    if expression.constant or expression.plural:
        what = "is the same for every request" if expression.constant else "gives a list"
        place.problem("bad-hash", f"{plan.hash_text!r} {what}", "write $.headers.x-user, $.cookies.sid or $.client.ip")
        return plan
    roots = frozenset(reference.root for reference in expression.reads)
    return replace(plan, hash_key=_key_of(expression), hash_roots=roots)


def _key_of(expression: Expression) -> Callable[[Scope], str | None]:
    evaluate = expression.evaluate

    def key(scope: Scope) -> str | None:
        try:
            return scalar_text(evaluate(scope))
        except ExtractionFailed:
            return None

    return key


def _all_params(routes: Sequence[tuple[int, Route]]) -> frozenset[str]:
    names: set[str] = set()
    for _, route in routes:
        try:
            pattern = parse_pattern(route.match.path)
        except Invalid:
            continue  # reported where the route is compiled
        names.update(part.name for part in pattern.segments if isinstance(part, Param))
    return frozenset(names)


def with_hash_keys(route: RoutePlan, upstreams: Mapping[str, UpstreamPlan]) -> RoutePlan:
    """The route, where its requests to upstreams that choose by a hash carry what these choose by."""
    action = route.action
    if isinstance(action, ProxyPlan):
        read = [upstreams[name].hash_roots for name in action.variants if name in upstreams]
        return replace(route, action=replace(action, roots=action.roots.union(*read))) if any(read) else route
    if not isinstance(action, CompositePlan):
        return route
    hashing = {name: plan for name, plan in upstreams.items() if plan.hash_key is not None}
    asked = [hashing[call.upstream] for call in action.calls if call.upstream in hashing]
    if not asked:
        return route
    calls = tuple(
        structs.replace(call, hash_key=hashing[call.upstream].hash_key) if call.upstream in hashing else call
        for call in action.calls
    )
    roots = action.roots.union(*[plan.hash_roots for plan in asked])
    return replace(route, action=structs.replace(action, calls=calls, roots=roots))
