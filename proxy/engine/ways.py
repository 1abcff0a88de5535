"""The way of each call to its upstream, made once per generation: what it shares, what it keeps."""

from collections.abc import Hashable, Mapping
from functools import partial

from msgspec import Struct

from proxy.cache.flights import Flights
from proxy.cache.memory import MemoryStore
from proxy.engine.ask import Begin
from proxy.engine.caching import CallCache, request_key
from proxy.plan.nodes import CallPlan, CompositePlan
from proxy.upstream.exchange import Cancel, Done, Upstream, UpstreamRequest


class Way(Struct, frozen=True):
    """How a call is asked: `begin` sends a request, `cache` has answers from before."""

    begin: Begin
    cache: CallCache | None


class Shared(Struct, frozen=True):
    """What all routes of a generation have in common. `addresses` tells apart upstreams, also of one name."""

    upstreams: Mapping[str, Upstream]
    addresses: Mapping[str, Hashable]
    flights: Flights
    store: MemoryStore


def make_ways(plan: CompositePlan, shared: Shared) -> tuple[Way, ...]:
    """The ways of a composite's calls, in their order."""
    return tuple(_way(call, shared) for call in plan.calls)


def _way(call: CallPlan, shared: Shared) -> Way:
    begin: Begin = shared.upstreams[call.upstream].begin
    address = shared.addresses.get(call.upstream, call.upstream)
    if call.coalesce:
        begin = coalescing(begin, shared.flights, address)
    return Way(begin, None if call.cache is None else CallCache(call, call.cache, shared.store, address))


def coalescing(begin: Begin, flights: Flights, upstream: Hashable) -> Begin:
    """The same, where requests under way that are alike share one answer."""

    def begin_or_join(request: UpstreamRequest, done: Done) -> Cancel:
        return flights.begin(request_key(upstream, request), partial(begin, request), done)

    return begin_or_join
