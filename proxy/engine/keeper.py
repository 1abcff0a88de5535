"""What one request has to do with answers that are kept: finds them for its calls, and gives it theirs to keep."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any

from proxy.engine.caching import CallCache
from proxy.engine.call import build_request
from proxy.engine.fanout import Part, bind, kept_part
from proxy.engine.outcome import Done, Failed, Outcome
from proxy.engine.watcher import Watcher
from proxy.engine.ways import Prepared
from proxy.expr.scope import Scope
from proxy.plan.nodes import CallPlan, FanPlan
from proxy.upstream.exchange import Pairs, UpstreamRequest


class Keeper:
    """For calls that have a `cache`. `forwarded` gives the headers that a call has before its own."""

    __slots__ = ("_forwarded", "_loop", "_prepared", "_scope", "_watcher")

    def __init__(
        self, prepared: Prepared, scope: Scope, watcher: Watcher, forwarded: Callable[[CallPlan], Pairs]
    ) -> None:
        self._prepared = prepared
        self._scope = scope
        self._watcher = watcher
        self._forwarded = forwarded
        self._loop = asyncio.get_running_loop()

    def find(self, call: CallPlan, request: UpstreamRequest) -> Done | None:
        """An answer from before, if there is one; a stale one is asked for anew behind the client's back."""
        cache, now = self._cache(call), self._loop.time()
        key = cache.key(request)
        found = cache.find(key, now)
        self._watcher.looked(call, "miss" if found is None else "stale" if found.stale else "hit", 1)
        if found is None:
            return None
        if found.stale:
            cache.refresh(key, request, self._prepared.ways[call.index], now)
        return found.done

    def find_parts(self, call: CallPlan, fan: FanPlan, elements: list[Any]) -> tuple[list[Part], list[Any]]:
        """Of a batch: the elements that are known from before, and those to ask for."""
        assert call.keyed is not None
        base, now = self._base_key(call, fan), self._loop.time()
        found, wanted = self._cache(call).find_elements(base, elements, call.keyed, now)
        for result, count in (("hit", len(found)), ("miss", len(wanted))):
            if count:
                self._watcher.looked(call, result, count)
        return [kept_part(fan, self._scope, element, done) for element, done in found], wanted

    def keep(self, call: CallPlan, request: UpstreamRequest, outcome: Outcome) -> Outcome:
        """Keep a good answer; a failure may be answered by one from before."""
        cache, now = self._cache(call), self._loop.time()
        key = cache.key(request)
        if isinstance(outcome, Failed):
            rescued = cache.rescue(key, now)
            if rescued is not None:
                self._watcher.looked(call, "stale", 1)
            return rescued or outcome
        cache.keep(key, request, outcome, now)
        return outcome

    def keep_part(self, call: CallPlan, part: Part, request: UpstreamRequest) -> Outcome:
        """The same for one request of a fan-out."""
        assert part.outcome is not None
        assert call.fan is not None
        cache = self._cache(call)
        if not cache.per_key:
            return self.keep(call, request, part.outcome)
        base = self._base_key(call, call.fan)
        cache.keep_elements(base, request, part.elements, part.outcome, self._loop.time())
        return part.outcome

    def _cache(self, call: CallPlan) -> CallCache:
        cache = self._prepared.caches[call.index]
        assert cache is not None
        return cache

    def _base_key(self, call: CallPlan, fan: FanPlan) -> Hashable:
        """What all elements of a batch are kept under: its request without any of them."""
        request = build_request(call, bind(fan, self._scope, ()), self._forwarded(call))
        return self._cache(call).key(request)
