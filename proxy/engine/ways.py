"""The way of each call to its upstream, made once per generation: what it shares, what it keeps."""

import asyncio
from collections.abc import Hashable, Mapping
from functools import partial

from msgspec import Struct

from proxy.cache.flights import Flights
from proxy.cache.memory import MemoryStore
from proxy.engine.ask import Way
from proxy.engine.caching import CallCache, request_key
from proxy.engine.schedule import Order, order_of
from proxy.engine.timers import Timers
from proxy.expr.decoding import decoder
from proxy.plan.nodes import CallPlan, CompositePlan
from proxy.upstream.exchange import Begin, Cancel, Done, Upstream, UpstreamRequest
from proxy.upstream.extras import Extras, counted
from proxy.upstream.hedging import hedging
from proxy.upstream.retrying import retrying


class Shared(Struct, frozen=True):
    """What all routes of a generation have in common. `addresses` tells apart upstreams, also of one name.

    `extras` are for the requests that nobody asked for, by upstream.
    """

    upstreams: Mapping[str, Upstream]
    addresses: Mapping[str, Hashable]
    flights: Flights
    store: MemoryStore
    extras: Mapping[str, Extras] = {}

    def address(self, call: CallPlan) -> Hashable:
        """What tells the call's upstream from every other."""
        return self.addresses.get(call.upstream, call.upstream)


class Prepared(Struct, frozen=True):
    """A composite with everything that its requests have in common.

    `ways` and `caches` are those of each call; `forwarded` has for each what it accepts and the client's headers that
    it gets, equal ones as one object.
    """

    plan: CompositePlan
    order: Order
    ways: tuple[Way, ...]
    caches: tuple[CallCache | None, ...]
    forwarded: tuple[tuple[str, tuple[str, ...]], ...]
    deadlines: Timers


FORWARDED = ("Accept-Language", "Traceparent", "Tracestate")
"""What every call gets of the client's headers, besides the request id."""


def prepare(plan: CompositePlan, timeout_s: float, shared: Shared, forward: Mapping[str, tuple[str, ...]]) -> Prepared:
    """Everything that can be done before a request. It belongs to the running loop."""
    ways = tuple(_way(call, shared) for call in plan.calls)
    caches = tuple(_cache(call, shared) for call in plan.calls)
    forwarded = tuple(
        ("application/json" if call.decode == "json" else "*/*", (*FORWARDED, *forward.get(call.upstream, ())))
        for call in plan.calls
    )
    deadlines = Timers(asyncio.get_running_loop(), timeout_s)
    return Prepared(plan, order_of(plan.calls), ways, caches, forwarded, deadlines)


def _way(call: CallPlan, shared: Shared) -> Way:
    begin: Begin = shared.upstreams[call.upstream].begin
    if call.hedge_s is not None:
        begin = hedging(begin, call.hedge_s, shared.extras[call.upstream])
    if call.retry is not None:
        begin = retrying(begin, call.retry, shared.extras[call.upstream])
    if call.hedge_s is not None or call.retry is not None:
        begin = counted(begin, shared.extras[call.upstream].budget)
    if call.coalesce:
        begin = coalescing(begin, shared.flights, shared.address(call))
    timers = None if call.timeout_s is None else Timers(asyncio.get_running_loop(), call.timeout_s)
    return Way(begin, decoder(call.need), timers)


def _cache(call: CallPlan, shared: Shared) -> CallCache | None:
    return None if call.cache is None else CallCache(call, call.cache, shared.store, shared.address(call))


def coalescing(begin: Begin, flights: Flights, upstream: Hashable) -> Begin:
    """The same, where requests under way that are alike share one answer."""

    def begin_or_join(request: UpstreamRequest, done: Done) -> Cancel:
        return flights.begin(request_key(upstream, request), partial(begin, request), done)

    return begin_or_join
