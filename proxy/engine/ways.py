"""The way of each call to its upstream, made once per generation: what it shares, what it keeps."""

import asyncio
from collections.abc import Hashable, Mapping
from functools import partial

from msgspec import Struct

from proxy.cache.flights import Flights
from proxy.cache.memory import MemoryStore
from proxy.engine.ask import Begin
from proxy.engine.caching import CallCache, request_key
from proxy.engine.schedule import Order, order_of
from proxy.engine.timers import Timers
from proxy.plan.nodes import CallPlan, CompositePlan
from proxy.upstream.exchange import Cancel, Done, Upstream, UpstreamRequest


class Way(Struct, frozen=True):
    """How a call is asked: `begin` sends a request, `cache` has answers from before, `timers` end its time."""

    begin: Begin
    cache: CallCache | None
    timers: Timers | None


class Shared(Struct, frozen=True):
    """What all routes of a generation have in common. `addresses` tells apart upstreams, also of one name."""

    upstreams: Mapping[str, Upstream]
    addresses: Mapping[str, Hashable]
    flights: Flights
    store: MemoryStore


class Prepared(Struct, frozen=True):
    """A composite with everything that its requests have in common.

    `forwarded` has for each call the client's headers that it gets and what it accepts; equal ones are one object.
    """

    plan: CompositePlan
    order: Order
    ways: tuple[Way, ...]
    forwarded: tuple[tuple[str, tuple[str, ...]], ...]
    deadlines: Timers


FORWARDED = ("Accept-Language", "Traceparent", "Tracestate")
"""What every call gets of the client's headers, besides the request id."""


def prepare(plan: CompositePlan, timeout_s: float, shared: Shared, forward: Mapping[str, tuple[str, ...]]) -> Prepared:
    """Everything that can be done before a request. It belongs to the running loop."""
    ways = tuple(_way(call, shared) for call in plan.calls)
    forwarded = tuple(
        ("application/json" if call.decode == "json" else "*/*", (*FORWARDED, *forward.get(call.upstream, ())))
        for call in plan.calls
    )
    deadlines = Timers(asyncio.get_running_loop(), timeout_s)
    return Prepared(plan, order_of(plan.calls), ways, forwarded, deadlines)


def _way(call: CallPlan, shared: Shared) -> Way:
    begin: Begin = shared.upstreams[call.upstream].begin
    address = shared.addresses.get(call.upstream, call.upstream)
    if call.coalesce:
        begin = coalescing(begin, shared.flights, address)
    cache = None if call.cache is None else CallCache(call, call.cache, shared.store, address)
    timers = None if call.timeout_s is None else Timers(asyncio.get_running_loop(), call.timeout_s)
    return Way(begin, cache, timers)


def coalescing(begin: Begin, flights: Flights, upstream: Hashable) -> Begin:
    """The same, where requests under way that are alike share one answer."""

    def begin_or_join(request: UpstreamRequest, done: Done) -> Cancel:
        return flights.begin(request_key(upstream, request), partial(begin, request), done)

    return begin_or_join
