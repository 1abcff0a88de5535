"""Sends requests to one upstream, within separate limits for each phase.

Phases are waiting for a connection (503), connecting (502, 504 when too slow), the first byte and the pauses in the
body (504). What breaks HTTP or a limit is a 502. Nothing is followed, stored, decompressed or added on the way.

One endpoint is asked by its pool itself; only where there are several is there a choice in between (`endpoints`).
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from random import Random
from ssl import SSLContext
from typing import Any

from proxy.events import Event, Observer
from proxy.plan.upstreams import Endpoint, UpstreamPlan
from proxy.policy.breaker import Breaker
from proxy.tls import make_context
from proxy.upstream.deadline import Telling
from proxy.upstream.endpoints import Endpoints, Member
from proxy.upstream.exchange import Cancel, Client, Done, StreamedResponse, UpstreamRequest, UpstreamResponse
from proxy.upstream.guarded import Guarded
from proxy.upstream.health import check_forever
from proxy.upstream.http1.pool import Pool
from proxy.upstream.identified import Identified
from proxy.upstream.pools import Pools
from proxy.upstream.resolve import Resolve, resolve_forever, resolve_name
from proxy.upstream.srv import srv_resolver
from proxy.upstream.tokens import Tokens


def _ignore(event: Event) -> None:
    pass


class UpstreamClient:
    """One named upstream: its endpoints, their connections, their limits. Made within a running loop."""

    def __init__(
        self,
        plan: UpstreamPlan,
        observer: Observer = _ignore,
        pools: Pools | None = None,
        resolve: Resolve | None = None,
        rng: Random | None = None,
    ) -> None:
        self.plan = plan
        self._rng = rng or Random()
        self._pools = Pools() if pools is None else pools
        self._tasks: dict[Endpoint, asyncio.Task[None]] = {}
        # Until a name has been resolved for the first time, connecting resolves it.
        given = (plan.dns,) if plan.dns is not None else plan.endpoints
        secure = any(endpoint.scheme == "https" for endpoint in given)
        self._tls: SSLContext | None = make_context(plan.tls) if secure else None
        self._endpoints = Endpoints(plan, given, self._open_pool, self._drop_pool, observer, self._rng)
        alone = len(given) == 1 and plan.dns is None
        way: Client = self._endpoints.members[0].way if alone else self._endpoints
        if plan.breaker is not None and not plan.breaker.per_endpoint:
            way = Guarded(way, Breaker(plan.breaker), plan.name, "", observer)
        if plan.deadline_header is not None:
            way = Telling(way, plan.deadline_header)
        self._tokens: Tokens | None = None
        if plan.identity is not None:
            if plan.identity.token is not None:
                self._tokens = Tokens(plan.identity.token, plan.name)
            way = Identified(way, plan.identity, "https" if secure else "http", self._tokens)
        self._way = way
        if plan.dns is not None:
            by = resolve or (srv_resolver() if plan.srv else resolve_name)
            self._start(plan.dns, resolve_forever(plan.name, plan.dns, by, self._rng, self._resolved))
        self._check_members()

    def __repr__(self) -> str:
        states = Counter(member.state for member in self.members)
        told = "".join(f", {states[state]} {state}" for state in ("ejected", "unhealthy") if states[state])
        return f"<Upstream {self.plan.name}: {len(self.members)} endpoints{told}, {self.in_flight} in flight>"

    @property
    def members(self) -> Sequence[Member]:
        """The endpoints that requests may go to, with their states."""
        return self._endpoints.members

    @property
    def in_flight(self) -> int:
        """Requests that are sent and not yet answered."""
        return sum(member.pool.in_flight for member in self.members)

    async def close(self) -> None:
        """Close every connection that no other client uses; requests still under way on them fail."""
        self._endpoints.close()
        if self._tokens is not None:
            await self._tokens.close()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for member in self.members:
            self._pools.give_back(self.plan, member.endpoint, at_once=True)

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        """Send one request and read the whole answer."""
        return await self._way.send(request)

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        """Send one request and wait for the head of the answer; its body is read from what this gives."""
        return await self._way.open(request)

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        """Send one request; `done` gets the whole answer. Without a task, if a connection is free."""
        return self._way.begin(request, done)

    def _open_pool(self, endpoint: Endpoint) -> Pool:
        return self._pools.take(self.plan, endpoint, self._tls if endpoint.scheme == "https" else None)

    def _drop_pool(self, endpoint: Endpoint) -> None:
        self._pools.give_back(self.plan, endpoint)

    def _resolved(self, weights: Mapping[Endpoint, int]) -> None:
        self._endpoints.replace(weights)
        self._check_members()

    def _check_members(self) -> None:
        """Begin to check the endpoints that are new, and end the checks of those that are gone."""
        health = self.plan.health
        if health is None:
            return
        here = {member.endpoint for member in self.members}
        for endpoint in [one for one in self._tasks if one not in here and one != self.plan.dns]:
            self._tasks.pop(endpoint).cancel()
        for member in self.members:
            if member.endpoint not in self._tasks and member.endpoint != self.plan.dns:
                tls = self._tls if member.endpoint.scheme == "https" else None
                told = partial(self._endpoints.checked, member)
                self._start(member.endpoint, check_forever(self.plan, health, member.endpoint, tls, self._rng, told))

    def _start(self, what: Endpoint, work: Coroutine[Any, Any, None]) -> None:
        name = f"upstream {self.plan.name}: {what.label}"
        self._tasks[what] = asyncio.get_running_loop().create_task(work, name=name)
