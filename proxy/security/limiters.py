"""What limits count in: kept over a reload, as far as the limits are the same."""

from proxy.events import Observer
from proxy.plan.nodes import Plan
from proxy.security.concurrency import AllPlaces
from proxy.security.ratelimit import AllCounts
from proxy.security.sharedcounts import SharedCounts


class Limiters:
    """`counts` and `places` are this process's own; `shared` is what all count in together, None if nothing is."""

    def __init__(self, observer: Observer) -> None:
        self.counts: AllCounts = {}
        self.places: AllPlaces = {}
        self.shared: SharedCounts | None = None
        self._observer = observer
        self._shared_in: tuple[str | None, float] = (None, 0.0)

    def take(self, plan: Plan) -> SharedCounts | None:
        """Count for this plan from now on. Gives what was counted in, if that is another place now, to be closed."""
        limits = {limit for route in plan.routes for limit in route.rate_limits}
        self.counts = {limit: counts for limit, counts in self.counts.items() if limit in limits}
        wanted = {route.concurrency for route in plan.routes}
        self.places = {one: places for one, places in self.places.items() if one in wanted}
        server = plan.server
        where = (server.limit_store, server.limit_timeout_s if server.limit_store is not None else 0.0)
        if where == self._shared_in:
            return None
        url, timeout_s = self._shared_in = where
        left, self.shared = self.shared, None if url is None else SharedCounts(url, timeout_s, self._observer)
        return left

    async def close(self) -> None:
        """Close what is open."""
        if self.shared is not None:
            await self.shared.close()
