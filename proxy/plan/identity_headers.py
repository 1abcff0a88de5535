"""Which headers tell upstreams who asks: what a client says in them is never what they say."""

from collections.abc import Iterable

from proxy.message import spellings
from proxy.plan.auth import ForwardPlan
from proxy.plan.field import Field
from proxy.plan.nodes import CompositePlan, RoutePlan
from proxy.plan.proxying import ProxyPlan


def identity_headers(routes: Iterable[RoutePlan], said: Iterable[str] | None) -> frozenset[str]:
    """The names, in every spelling: those that are said, or else those that any route writes claims into."""
    if said is not None:
        return spellings(said)
    found: set[str] = set()
    for route in routes:
        found |= {field.name for field in _fields(route) if field.identity}
        for provider in route.auth.providers if route.auth is not None else ():
            if isinstance(provider, ForwardPlan):
                found |= set(provider.passes)
    return spellings(found)


def _fields(route: RoutePlan) -> list[Field]:
    match route.action:
        case ProxyPlan(request_headers=changes):
            return [*changes.set, *changes.add]
        case CompositePlan(calls=calls):
            return [field for call in calls for field in call.headers]
        case _:
            return []
