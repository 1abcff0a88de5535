"""Keeps a route's whole answers and gives them to whoever may have them (RFC 9111). A layer around the route's action.

`policy/freshness` decides what may be stored and for how long it is fresh, `cachekey` what it is stored under; this
looks, asks, revalidates and stores. Only one request goes upstream for what many ask at the same time: the others wait,
and go by themselves as soon as the answer proves to be one that cannot be shared.
"""

from collections.abc import Awaitable, Callable
from email.utils import formatdate

from msgspec import Struct
from multidict import CIMultiDict

from proxy.background import Background
from proxy.cache.store import Store, Stored, StoreUnavailable, Token, Variants
from proxy.clock import monotonic, unix_seconds
from proxy.engine.context import scope_maker
from proxy.errors import GatewayError
from proxy.events import CacheLooked, Observer
from proxy.message import Request, Response
from proxy.plan.fields import header_values
from proxy.plan.nodes import RouteCachePlan
from proxy.policy.directives import Asked
from proxy.policy.freshness import (
    NOTHING_ASKED,
    SERVER_ERRORS,
    Terms,
    Use,
    asked_by,
    freshened,
    judge,
    serves_errors,
    terms_of,
    vary_of,
)
from proxy.server.asking import in_background, is_passed_by, is_steered, lane_of, on_behalf_of_all
from proxy.server.cachekey import (
    counted_query,
    key_tag,
    own_tag,
    primary_key,
    route_tag,
    target_of,
    variant_key,
)
from proxy.server.copying import Copying
from proxy.server.fromcache import answer_from, mark
from proxy.server.landing import AGAIN, ALONE, Land, Landed, Landings, Lane
from proxy.service import Layer, Service

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110 §9.2.1)."""
READ_WHOLE = 256 * 1024
"""An answer of a declared length up to this is read before it is sent: no slow client keeps others waiting for it."""
# What can be asked for anew by its validator is of use also when its time is over; not for ever.
_VALIDATED_S = 3600.0
_NOT_STORED = frozenset({"content-length", "x-request-id"})


class OnlyIfCached(GatewayError):
    """The client wants nothing that is not here (RFC 9111 §5.2.1.7)."""

    status = 504
    code = "only_if_cached"


class _Look(Struct):
    """One request's look at what is kept. `slot` is the key of the answer that is meant, as far as it is known."""

    key: str
    slot: str
    tags: tuple[str, ...]
    stored: Stored | None
    token: Token
    lane: Lane = ("", False, False, False)


def cached(
    name: str,
    plan: RouteCachePlan,
    store: Store,
    background: Background,
    observer: Observer,
    now: Callable[[], float] = unix_seconds,
) -> Layer:
    """The layer of a route with `cache`. `now` is in seconds since 1970: stores may be shared between machines."""

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        return RouteCache(name, plan, store, background, observer, now, inner).serve

    return layer


def forgetting(store: Store) -> Layer:
    """For routes without `cache`: what changes something at an address makes what is kept of it void (§4.4)."""

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def forget(request: Request) -> Response:
            response = await inner(request)
            if request.method not in SAFE:
                await _forget(store, request, response)
            return response

        return forget

    return layer


async def _forget(store: Store, request: Request, response: Response) -> None:
    if 200 <= response.status < 400:
        try:
            await store.purge(key_tag(request.host, target_of(request)))
        except StoreUnavailable:
            return  # counted and logged where it happened; the request itself has been done


class RouteCache:
    """The answers of one route."""

    def __init__(
        self,
        name: str,
        plan: RouteCachePlan,
        store: Store,
        background: Background,
        observer: Observer,
        now: Callable[[], float],
        inner: Service,
    ) -> None:
        self._name = name
        self._plan = plan
        self._store = store
        self._background = background
        self._observer = observer
        self._now = now
        self._inner = inner
        self._make_scope = scope_maker(plan.roots)
        self._landings = Landings()

    async def serve(self, request: Request) -> Response:
        """Answer a request from what is kept, or have it answered and keep that."""
        if request.method not in ("GET", "HEAD"):
            response = await self._inner(request)
            if request.method not in SAFE:
                await _forget(self._store, request, response)
            return self._mark(response, "fwd=method")
        headers = request.headers
        asked = asked_by(headers)
        if asked.no_store or is_passed_by(request):
            return await self._pass_by(request, "fwd=request" if asked.no_store else "fwd=bypass")
        if self._plan.query is not None and request.has_query:
            request.query = counted_query(request.query, self._plan.query)
            request.has_query = bool(request.query)
        return await self._find_or_ask(request, primary_key(self._plan, request), asked)

    async def _pass_by(self, request: Request, why: str) -> Response:
        self._count("bypass")
        return self._mark(await self._inner(request), why)

    async def _find_or_ask(self, request: Request, key: str, asked: Asked) -> Response:
        patience = None
        while True:
            look = await self._look(request, key)
            if (response := self._found(request, look, asked)) is not None:
                return response
            if asked.only_if_cached:
                raise OnlyIfCached("nothing that is fresh is kept of this")
            if request.method == "HEAD":
                return await self._pass_by(request, "fwd=miss" if look.stored is None else "fwd=stale")
            lane = look.lane = lane_of(look.slot, request)
            if look.stored is None and self._landings.is_unshared(lane):
                return await self._ask_unshared(request, look)
            if (land := self._landings.begin(lane)) is not None:
                return await self._lead(request, look, land)
            patience = patience or monotonic() + self._plan.lock_s
            landing = await self._landings.wait(lane, patience)
            if landing == ALONE:
                return await self._ask(request, look, _nobody_waits)
            if isinstance(landing, Landed) and _is_for(landing, look, request):
                self._count("hit")
                return self._serve(request, landing.stored, self._now(), "fwd=miss; collapsed")
            asked = NOTHING_ASKED  # whatever is there now has come after this request

    async def _look(self, request: Request, key: str) -> _Look:
        tags = self._tags(request) if self._store.wants_tags else ()
        kept, token = await self._store.find(key, tags, self._now())
        slot = key
        if isinstance(kept, Variants):
            slot = variant_key(key, kept.names, request.headers)
            # The first token stands: it is older, so that no purge is missed.
            kept, _ = await self._store.find(slot, tags, self._now())
        return _Look(key, slot, tags, kept if isinstance(kept, Stored) else None, token)

    def _found(self, request: Request, look: _Look, asked: Asked) -> Response | None:
        """What is kept, if it may be served now; one that is a little stale is renewed behind the client's back."""
        stored = look.stored
        if stored is None:
            return None
        now = self._now()
        use = judge(stored.terms, stored.came_at, now, asked)
        if use is Use.STALE:
            return None
        if use is Use.WHILE_REVALIDATING:
            self._refresh(request, look)
        self._count("hit" if use is Use.FRESH else "stale")
        return self._serve(request, stored, now)

    def _tags(self, request: Request) -> tuple[str, ...]:
        fields = self._plan.tags
        own = [own_tag(text) for _, text in header_values(fields, self._make_scope(request))] if fields else ()
        return (route_tag(self._name), key_tag(request.host, target_of(request)), *own)

    # Asking.

    async def _lead(self, request: Request, look: _Look, land: Land) -> Response:
        try:
            return await self._ask(request, look, land)
        except GatewayError:
            land(ALONE)
            raise
        except BaseException:
            land(AGAIN)  # the client has gone, say, which is nobody else's fault
            raise

    def _refresh(self, request: Request, look: _Look) -> None:
        look.lane = lane_of(look.slot, request)
        if (land := self._landings.begin(look.lane)) is not None:
            again = in_background(request)
            self._background.start(f"renew an answer of {self._name}", self._renew(again, look, land))

    async def _renew(self, request: Request, look: _Look, land: Land) -> None:
        try:
            response = await self._ask(request, look, land)
            if response.stream is not None:
                await _read(response)
        except GatewayError:
            return  # it is counted as a call; the stale answer stays for as long as it may
        finally:
            land(AGAIN)

    async def _ask_unshared(self, request: Request, look: _Look) -> Response:
        """As if there were no cache, the client's own conditions included; but what may be kept now is kept."""
        asked_at = self._now()
        look.tags = look.tags or self._tags(request)
        response = await self._inner(request)
        return await self._take(request, look, response, asked_at, _nobody_waits)

    async def _ask(self, request: Request, look: _Look, land: Land) -> Response:
        """Ask for an answer, conditionally if there is an old one, and keep it if it may be kept."""
        look.tags = look.tags or self._tags(request)
        stored, asked_at = look.stored, self._now()
        stands_in = stored is not None and serves_errors(stored.terms, stored.came_at, asked_at)
        try:
            response = await self._inner(on_behalf_of_all(request, stored))
        except GatewayError as error:
            if stored is None or not stands_in or error.status < 500:
                raise
            return self._stand_in(request, look, stored, error.status, land)
        if stored is not None and stands_in and response.status in SERVER_ERRORS:
            response.end()
            return self._stand_in(request, look, stored, response.status, land)
        if stored is not None and response.status == 304:
            return await self._freshen(request, look, stored, response, asked_at, land)
        return await self._take(request, look, response, asked_at, land)

    def _stand_in(self, request: Request, look: _Look, stored: Stored, status: int, land: Land) -> Response:
        """A stale answer instead of an error (RFC 5861 §4), also for those who wait."""
        self._count("stale")
        land(Landed(look.slot, self._vary(stored), stored))
        return self._serve(request, stored, self._now(), f"fwd=stale; fwd-status={status}")

    async def _freshen(
        self, request: Request, look: _Look, stored: Stored, response: Response, asked_at: float, land: Land
    ) -> Response:
        """A stale answer is good again (§4.3.4)."""
        response.end()
        tag, given = dict(stored.headers).get("ETag"), response.headers.get("ETag")
        if tag is not None and given is not None and tag.removeprefix("W/") != given.removeprefix("W/"):
            # It speaks of a version that nobody has sent: ask without a condition.
            look.stored = None
            return await self._ask(request, look, land)
        _date(response, self._now())
        whole = Response(stored.status, CIMultiDict(freshened(stored.headers, response.headers)), stored.body)
        self._count("revalidated")
        return await self._take(request, look, whole, asked_at, land, 304)

    # Taking.

    async def _take(
        self, request: Request, look: _Look, response: Response, asked_at: float, land: Land, status: int = 0
    ) -> Response:
        """Keep an answer that may be kept, tell those who wait, and give it to the client.

        `status` is what the upstream said, if it was not this answer.
        """
        came_at, stream = self._now(), response.stream
        if not status:
            self._count("miss")
        how = f"fwd={'miss' if look.stored is None else 'stale'}; fwd-status={status or response.status}"
        terms = self._terms(request, response, asked_at, came_at)
        if terms is None:
            land(ALONE)
            if response.status < 500:
                self._landings.unshare(look.lane)
            if response.status < 500 and look.stored is not None:
                await self._store.remove(look.slot)  # it is not what is answered any more
            return self._mark(response, how)
        _date(response, came_at)
        fields = [(str(name), value) for name, value in response.headers.items() if name.lower() not in _NOT_STORED]
        self._landings.share(look.lane)
        if stream is not None and (stream.length is None or stream.length > READ_WHOLE):
            status = response.status

            async def keep(body: bytes) -> None:
                await self._keep(request, look, Stored(status, fields, body, terms, came_at), land)

            def gave_up(for_good: bool) -> None:
                if for_good:
                    self._landings.unshare(look.lane)
                land(ALONE if for_good else AGAIN)

            response.stream = Copying(stream, self._plan.max_object, keep, gave_up)
            return self._mark(response, how)
        body = response.body if stream is None else await _read(response)
        stored = Stored(response.status, fields, body, terms, came_at)
        if await self._keep(request, look, stored, land):
            how += "; stored"
        return self._serve(request, stored, came_at, how, fresh=not look.stored)

    def _terms(self, request: Request, response: Response, asked_at: float, came_at: float) -> Terms | None:
        size = len(response.body) if response.stream is None else response.stream.length or 0
        if response.partial or response.error is not None or "Trailer" in response.headers or is_steered(request):
            return None
        if size > self._plan.max_object:
            return None
        return terms_of(
            response.status, response.headers, request.headers, self._plan.wishes, asked_at=asked_at, came_at=came_at
        )

    async def _keep(self, request: Request, look: _Look, stored: Stored, land: Land) -> bool:
        names, slot = self._vary(stored), look.key
        now, lives_s = stored.came_at, _kept_for_s(stored)
        kept = True
        if names:
            slot = variant_key(look.key, names, request.headers)
            kept = await self._store.put(look.key, Variants(names), look.tags, look.token, now, lives_s)
        kept = kept and await self._store.put(slot, stored, look.tags, look.token, now, lives_s)
        land(Landed(slot, names, stored))
        return kept

    def _vary(self, stored: Stored) -> tuple[str, ...]:
        """What parts an answer from others of its key, which holds some headers already."""
        headers = CIMultiDict([(name, value) for name, value in stored.headers if name.lower() == "vary"])
        return tuple(name for name in vary_of(headers) if name not in self._plan.keyed) if headers else ()

    # Answering.

    def _serve(
        self, request: Request, stored: Stored, now: float, how: str = "hit", *, fresh: bool = False
    ) -> Response:
        return answer_from(request, stored, now, how if self._plan.status_header else None, fresh=fresh)

    def _mark(self, response: Response, how: str) -> Response:
        if self._plan.status_header:
            mark(response.headers, how)
        return response

    def _count(self, result: str) -> None:
        self._observer(CacheLooked(self._name, "", result, 1))


def _date(response: Response, now: float) -> None:
    """Whoever keeps an answer says when it came, if it does not say so itself (RFC 9110 §6.6.1)."""
    if "Date" not in response.headers:
        response.headers["Date"] = formatdate(now, usegmt=True)


def _is_for(landed: Landed, look: _Look, request: Request) -> bool:
    """Whether what another request brought is the answer to this one too."""
    names = landed.names
    return landed.slot == (variant_key(look.key, names, request.headers) if names else look.key)


def _kept_for_s(stored: Stored) -> float:
    tagged = any([name.lower() in ("etag", "last-modified") for name, _ in stored.headers])
    return stored.terms.lives_s + (_VALIDATED_S if tagged else 0.0)


async def _read(response: Response) -> bytes:
    """The whole body of a streamed answer, which is then over. Raises a `GatewayError` if it breaks off."""
    assert response.stream is not None
    try:
        return b"".join([piece async for piece in response.stream])
    except GatewayError as error:
        response.error = error.code
        raise
    finally:
        response.end()


def _nobody_waits(landing: object) -> None:
    """Tells nobody."""
