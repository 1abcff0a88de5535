"""Sends requests to one upstream, within separate limits for each phase.

Phases are waiting for a connection (503), connecting (502, 504 when too slow), the first byte and the pauses in the
body (504). What breaks HTTP or a limit is a 502. Nothing is followed, stored, decompressed or added on the way.
"""

from proxy.plan.nodes import UpstreamPlan
from proxy.tls import make_context
from proxy.upstream.exchange import Cancel, Done, StreamedResponse, UpstreamRequest, UpstreamResponse
from proxy.upstream.http1.pool import Pool


class UpstreamClient:
    """One named upstream: its endpoints in turn, their connections, their limits. Made within a running loop."""

    def __init__(self, plan: UpstreamPlan) -> None:
        self.plan = plan
        self._turn = 0
        secure = any(endpoint.scheme == "https" for endpoint in plan.endpoints)
        tls = make_context(plan.tls) if secure else None
        self._pools = [Pool(plan, one, tls if one.scheme == "https" else None) for one in plan.endpoints]

    def __repr__(self) -> str:
        return f"<Upstream {self.plan.name}: {len(self._pools)} endpoints, {self.in_flight} in flight>"

    @property
    def in_flight(self) -> int:
        """Requests that are sent and not yet answered."""
        return sum(pool.in_flight for pool in self._pools)

    async def close(self) -> None:
        """Close every connection; requests still under way fail."""
        for pool in self._pools:
            pool.close()

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        """Send one request and read the whole answer."""
        return await self._next().send(request)

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        """Send one request and wait for the head of the answer; its body is read from what this gives."""
        return await self._next().open(request)

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        """Send one request; `done` gets the whole answer. Without a task, if a connection is free."""
        return self._next().begin(request, done)

    def _next(self) -> Pool:
        pool = self._pools[self._turn]
        self._turn = (self._turn + 1) % len(self._pools)
        return pool
