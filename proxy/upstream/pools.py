"""Pools by what they are made of, so that clients whose plans differ elsewhere share them: a reload that adds an
endpoint, or balances in another way, costs no connection."""

from dataclasses import dataclass, replace
from ssl import SSLContext

from proxy.plan.upstreams import Endpoint, UpstreamPlan
from proxy.upstream.http1.pool import Pool

_Key = tuple[UpstreamPlan, Endpoint]


@dataclass(slots=True)
class _Held:
    pool: Pool
    users: int = 0


class Pools:
    """Reference-counted pools."""

    def __init__(self) -> None:
        self._held: dict[_Key, _Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def take(self, plan: UpstreamPlan, endpoint: Endpoint, tls: SSLContext | None) -> Pool:
        """The pool of an endpoint, within the limits of this plan; a new one where there is none yet."""
        key = _key(plan, endpoint)
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(Pool(plan, endpoint, tls))
        held.users += 1
        return held.pool

    def give_back(self, plan: UpstreamPlan, endpoint: Endpoint, *, at_once: bool = False) -> None:
        """Give back what was taken. One without users ends its requests first, unless `at_once`."""
        key = _key(plan, endpoint)
        held = self._held.get(key)
        if held is None:
            return
        held.users -= 1
        if held.users == 0:
            del self._held[key]
            if at_once:
                held.pool.close()
            else:
                held.pool.retire()


def _key(plan: UpstreamPlan, endpoint: Endpoint) -> _Key:
    """The plan without what a pool does not read."""
    bare = replace(
        plan,
        endpoints=(),
        weights=(),
        dns=None,
        srv=False,
        balance="",
        hash_text="",
        hash_roots=frozenset(),
        health=None,
        outlier=None,
        slow_start_s=0.0,
        breaker=None,
        retry_budget=0.0,
        deadline_header=None,
        host="",
        forward_headers=(),
    )
    return bare, endpoint
