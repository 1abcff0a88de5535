"""`cache` of a route → a `RouteCachePlan`, and where answers are kept."""

from hashlib import blake2b

from proxy.config.model import Config, Route, RouteCache
from proxy.config.server import Server
from proxy.document import encode_json
from proxy.expr.scope import REQUEST_ROOTS, Vocabulary
from proxy.message import is_token
from proxy.plan.compile_actions import request_roots
from proxy.plan.compile_auth import credential_sources
from proxy.plan.fields import compile_query, optional
from proxy.plan.nodes import Action, CompositePlan, RouteCachePlan
from proxy.plan.proxying import ProxyPlan
from proxy.plan.stores import check_redis
from proxy.policy.freshness import Wishes
from proxy.problems import Place

# What does not change what a route answers.
_BESIDE = {
    "tests",
    "summary",
    "tags",
    "timeout",
    "max_body",
    "cache",
    "cors",
    "bots",
    "limits",
    "ip",
    "security_headers",
}
_CREDENTIALS = frozenset({"authorization", "cookie"})


def compile_route_cache(
    route: Route, action: Action | None, config: Config, names: Vocabulary, place: Place
) -> RouteCachePlan | None:
    """How a route's answers are kept; None if they are not, or it cannot be said."""
    cache, here = route.cache, place / "cache"
    if cache is None or action is None:
        return None
    if not isinstance(action, ProxyPlan | CompositePlan):
        what = f"there is nothing to keep of a {route.actions[0]}"
        here.problem("conflicting-keys", what, "leave cache out", at_key=True)
        return None
    if route.match.methods is not None and "GET" not in route.match.methods:
        here.problem("conflicting-keys", "only answers to GET are kept", "leave cache out", at_key=True)
    for index, name in enumerate(cache.vary):
        if not is_token(name):
            (here / "vary" / index).problem("bad-header", f"{name!r} is not a header name", "write accept-language")
    _check_shareable(route, action, here)
    # What one is given is not for another, whatever the upstream makes of who asks: their credential is in the key.
    if any(config.auth[name].type in ("mtls", "oidc") for name in route.auth or () if name in config.auth):
        what = "answers are kept apart by credentials that are sent on, and neither a certificate nor a session is"
        here.problem("conflicting-keys", what, "leave cache out", at_key=True)
    credentials, parameters = credential_sources(route.auth or (), config)
    if cache.query is not None and not set(parameters) <= set(cache.query):
        what = "the query that is told apart leaves out the credential"
        (here / "query").problem("conflicting-keys", what, f"add {', '.join(parameters)}")
    keyed = tuple(sorted({*_keyed(cache, action, config), *credentials}))
    asking = Vocabulary(
        params=names.params, constants=names.constants, request=REQUEST_ROOTS - {"body", "claims", "client"}
    )
    tags, reads = compile_query({"tags": cache.tags}, asking, here)
    return RouteCachePlan(
        wishes=Wishes(
            ttl_s=cache.ttl,
            stale_while_revalidate_s=cache.stale_while_revalidate,
            stale_if_error_s=cache.stale_if_error,
            credentials=_credentials(action) - frozenset(keyed),
        ),
        keyed=keyed,
        query=None if cache.query is None else frozenset(cache.query),
        tags=optional(tags),
        roots=request_roots(reads),
        max_object=config.server.cache_max_object if cache.max_object is None else cache.max_object,
        lock_s=cache.lock_timeout,
        status_header=cache.status_header,
        identity=_identity(route, action, config),
    )


def _check_shareable(route: Route, action: ProxyPlan | CompositePlan, here: Place) -> None:
    if action.private:
        what = f"what route {route.name!r} answers depends on who asks ($.client)"
        here.problem("conflicting-keys", what, "leave cache out, or $.client", at_key=True)
    if "*" in action.vary:
        what = f"route {route.name!r} reads headers whose names nobody knows before"
        here.problem("conflicting-keys", what, "leave cache out, or name them: $.headers.x-tenant", at_key=True)


def _keyed(cache: RouteCache, action: ProxyPlan | CompositePlan, config: Config) -> tuple[str, ...]:
    """The headers that answers may depend on without saying so: what expressions read, what calls forward."""
    names = [*cache.vary, *action.vary]
    if isinstance(action, CompositePlan):
        for call in action.calls:
            upstream = config.upstreams.get(call.upstream)
            names += upstream.forward_headers if upstream is not None else ()
    return tuple(sorted({name.lower() for name in names}))


def _credentials(action: ProxyPlan | CompositePlan) -> frozenset[str]:
    """The credentials that reach an upstream: of a composite none but those that are in its key."""
    return frozenset() if isinstance(action, CompositePlan) else _CREDENTIALS - action.request_headers.remove


def _identity(route: Route, action: ProxyPlan | CompositePlan, config: Config) -> str:
    used = list(action.variants) if isinstance(action, ProxyPlan) else []
    used += [str(getattr(call, key)).partition(":")[0] for call in (route.calls or {}).values() for key in call.methods]
    upstreams = {
        name: config.upstreams[name].model_dump(include={"urls", "dns", "srv", "host", "forward_headers"}, mode="json")
        for name in sorted(set(used))
        if name in config.upstreams
    }
    said = [route.model_dump(exclude=_BESIDE, mode="json", exclude_unset=True), upstreams]
    # Keys are long lived and shared between machines, so it is the text that counts, and no secret stands in it.
    return blake2b(encode_json(said), digest_size=12).hexdigest()


def check_store(server: Server, place: Place) -> None:
    """Whether `cache_store` can be used."""
    if server.cache_store != "memory":
        check_redis(server.cache_store, "answers", "write memory, or redis://host:6379/0", place)
