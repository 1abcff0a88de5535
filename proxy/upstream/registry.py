"""Owns the upstream clients. A generation takes the ones it needs; one that no generation needs is closed.

Clients are found by their whole plan, so an upstream that a reload did not change keeps everything. One that it did
change gets a new client, which shares the connections to the endpoints that stay (`pools`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from proxy.events import Event, Observer
from proxy.plan.upstreams import UpstreamPlan
from proxy.upstream.client import UpstreamClient
from proxy.upstream.pools import Pools


def _ignore(event: Event) -> None:
    pass


@dataclass(slots=True)
class _Held:
    client: UpstreamClient
    users: int = 0


class Registry:
    """Reference-counted clients by plan."""

    def __init__(self, observer: Observer = _ignore) -> None:
        self._observer = observer
        self._held: dict[UpstreamPlan, _Held] = {}
        self._pools = Pools()

    def take(self, plans: Iterable[UpstreamPlan]) -> dict[str, UpstreamClient]:
        """Clients for these plans, by upstream name; new ones where there is none yet."""
        taken = {}
        for plan in plans:
            held = self._held.get(plan)
            if held is None:
                held = self._held[plan] = _Held(UpstreamClient(plan, self._observer, self._pools))
            held.users += 1
            taken[plan.name] = held.client
        return taken

    async def release(self, plans: Iterable[UpstreamPlan]) -> None:
        """Give back what was taken; a client without users is closed."""
        idle = []
        for plan in plans:
            held = self._held.get(plan)
            if held is None:
                continue  # closed already, with everything
            held.users -= 1
            if held.users == 0:
                idle.append(self._held.pop(plan).client)
        for client in idle:
            await client.close()

    def clients(self) -> tuple[UpstreamClient, ...]:
        return tuple(held.client for held in self._held.values())

    async def close(self) -> None:
        """Close every client, whoever uses it."""
        held = tuple(self._held.values())
        self._held.clear()
        for one in held:
            await one.client.close()
