"""What a call keeps of its answers: for how long, under which key, and who may have it. (RFC 9111, as far as calls go.)

Kept is what came of an answer, decoded and selected, never its bytes. The key has everything that was sent but what
names the one request (its id and trace), so credentials part one client's answers from another's.
"""

import logging
from collections.abc import Hashable, Iterable
from typing import Any

from msgspec import Struct
from multidict import CIMultiDict

from proxy.cache.memory import MemoryStore
from proxy.engine.ask import Ask, Way
from proxy.engine.freshness import lifetime
from proxy.engine.outcome import Done, Outcome
from proxy.merge.keys import Keyed, build_index
from proxy.plan.nodes import CachePlan, CallPlan
from proxy.upstream.exchange import UpstreamRequest

_LOG = logging.getLogger("proxy.cache")
# They name one request, and no answer depends on them.
PASSING = frozenset({"x-request-id", "traceparent", "tracestate"})


class _Kept(Struct):
    done: Done
    fresh_s: float


class Found(Struct):
    """A kept answer. A stale one is to be asked for anew by whoever found it."""

    done: Done
    stale: bool


def request_key(upstream: Hashable, request: UpstreamRequest) -> Hashable:
    """What two requests have in common that may share an answer."""
    sent = tuple((name, value) for name, value in request.headers if name.lower() not in PASSING)
    return (upstream, request.method, request.target, request.max_body, sent)


class CallCache:
    """The kept answers of one call. `upstream` tells apart upstreams, also of one name; `now` is loop time."""

    def __init__(self, call: CallPlan, plan: CachePlan, store: MemoryStore, upstream: Hashable) -> None:
        self._call = call
        self._plan = plan
        self._store = store
        # What is kept is as far decoded as the call needs it.
        self._identity = repr((upstream, plan.identity, call.need))
        self._refreshing: dict[Hashable, Ask] = {}

    @property
    def per_key(self) -> bool:
        """Whether a batch keeps each element by itself."""
        return self._plan.per_key

    def key(self, request: UpstreamRequest) -> Hashable:
        """What the answer to a request is kept under."""
        vary = self._plan.vary
        fields = [(name.lower(), value) for name, value in request.headers]
        sent = tuple(
            (name, value) for name, value in fields if name not in PASSING and (name in vary or name not in _BY_CHOICE)
        )
        return (self._identity, request.method, request.target, sent)

    def find(self, key: Hashable, now: float) -> Found | None:
        """A kept answer that may be used now: a fresh one, or a stale one while it may be asked for anew."""
        entry = self._store.get(key, now)
        if entry is None:
            return None
        kept: _Kept = entry.value
        age = now - entry.stored_at
        stale = age >= kept.fresh_s
        if stale and age >= kept.fresh_s + self._plan.stale_while_revalidate_s:
            return None
        return Found(_aged(kept.done, age), stale)

    def rescue(self, key: Hashable, now: float) -> Done | None:
        """A stale answer for a call that has failed."""
        entry = self._store.get(key, now) if self._plan.stale_if_error_s else None
        if entry is None:
            return None
        kept: _Kept = entry.value
        age = now - entry.stored_at
        return _aged(kept.done, age) if age < kept.fresh_s + self._plan.stale_if_error_s else None

    def keep(self, key: Hashable, request: UpstreamRequest, outcome: Outcome, now: float) -> None:
        """Keep what came of an answer, if the answer allows it and is whole."""
        if isinstance(outcome, Done) and (fresh_s := self._fresh_s(request, outcome)) > 0:
            self._put(key, outcome, outcome.size, fresh_s, now)

    def find_elements(
        self, base: Hashable, elements: Iterable[Any], keyed: Keyed, now: float
    ) -> tuple[list[tuple[Any, Done]], list[Any]]:
        """Of a batch: the elements that are kept, each with its answer, and those to ask for."""
        found: list[tuple[Any, Done]] = []
        wanted: list[Any] = []
        for element in elements:
            kept = self.find((base, keyed.key(element)), now)
            if kept is None or kept.stale:
                wanted.append(element)
            else:
                found.append((element, kept.done))
        return found, wanted

    def keep_elements(
        self, base: Hashable, request: UpstreamRequest, elements: Iterable[Any], outcome: Outcome, now: float
    ) -> None:
        """Keep each element of a batch's answer under its own key. What was not in the answer is not known."""
        if not isinstance(outcome, Done) or not isinstance(outcome.value, list):
            return
        fresh_s = self._fresh_s(request, outcome)
        if fresh_s <= 0:
            return
        keyed = self._call.keyed
        assert keyed is not None
        index = build_index(outcome.value, keyed)
        size = outcome.size // (len(index) or 1)
        for element in elements:
            key = keyed.key(element)
            if key in index:
                value = index[key] if keyed.many else [index[key]]
                self._put((base, key), Done(outcome.status, outcome.headers, value, None, size), size, fresh_s, now)

    def refresh(self, key: Hashable, request: UpstreamRequest, way: Way, now: float) -> None:
        """Ask for a stale answer anew, for whoever comes next; once at a time."""
        if key in self._refreshing:
            return

        def ended(outcome: Outcome, status: int, seconds: float) -> None:
            del self._refreshing[key]
            self.keep(key, request, outcome, now + seconds)

        def crashed(defect: Exception) -> None:
            self._refreshing.pop(key, None)
            _LOG.error("a stale answer of call %s could not be renewed", self._call.name, exc_info=defect)

        self._refreshing[key] = Ask(self._call, way, request, ended, crashed)

    def _fresh_s(self, request: UpstreamRequest, done: Done) -> float:
        if done.inner_partial is not None or "Set-Cookie" in done.headers:
            return 0.0
        sent = {name.lower() for name, _ in request.headers}
        varying = ",".join(done.headers.getall("Vary", ())).lower()
        for name in filter(None, (part.strip() for part in varying.split(","))):
            left_out = name in _BY_CHOICE and name not in self._plan.vary and name in sent
            if name == "*" or name in PASSING or left_out:
                return 0.0
        return lifetime(done.headers, self._plan.ttl_s)

    def _put(self, key: Hashable, done: Done, size: int, fresh_s: float, now: float) -> None:
        lives_s = fresh_s + max(self._plan.stale_while_revalidate_s, self._plan.stale_if_error_s)
        self._store.put(key, _Kept(done, fresh_s), size, now, now + lives_s)


# What a client sends for taste: it parts answers only where the call says so. Anything else always does.
_BY_CHOICE = frozenset({"accept-language"})


def _aged(done: Done, age: float) -> Done:
    """The answer with the time that it has been kept, where a lifetime depends on it (RFC 9111 §4.2.3)."""
    if "Cache-Control" not in done.headers:
        return done
    headers = CIMultiDict(done.headers)
    given = headers.get("Age", "0")
    headers["Age"] = str(int(age) + (int(given) if given.isascii() and given.isdigit() else 0))
    return Done(done.status, headers, done.value, done.inner_partial, done.size)
