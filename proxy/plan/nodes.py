"""The parts of a plan. All frozen, all durations in seconds, all expressions already closures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

from proxy.expr.needs import READ, Need
from proxy.expr.scope import Evaluate, Scope
from proxy.expr.urltemplate import UrlTemplate
from proxy.merge.keys import Keyed
from proxy.plan.auth import AllowPlan, AuthPlan, LoginPlan
from proxy.plan.cors import CorsPlan
from proxy.plan.field import Field
from proxy.plan.graph import Graph
from proxy.plan.ip import IpPlan
from proxy.plan.proxying import ProxyPlan
from proxy.plan.ratelimit import ConcurrencyPlan, RateLimitPlan
from proxy.plan.routing import Router
from proxy.plan.shield import BotsPlan, LimitsPlan
from proxy.plan.tls import ServerTlsPlan
from proxy.plan.upstreams import UpstreamPlan
from proxy.plan.validate import ValidatePlan
from proxy.policy.freshness import Wishes
from proxy.policy.retry import RetryPlan
from proxy.problems import Span


class FanPlan(Struct, frozen=True, kw_only=True):
    """A call that is made once for each element of a list, or for chunks of `size` elements (a batch).

    `client`: the client chose the elements. `tolerate` is the share of elements that may fail before the call does.
    """

    source: Evaluate
    source_text: str
    client: bool
    size: int | None
    distinct: bool
    concurrency: int
    tolerate: float
    max_items: int


class CachePlan(Struct, frozen=True, kw_only=True):
    """How long a call's answers are kept, in seconds. `identity` is all in the call that its value depends on beside
    the request: two calls that agree in it share what is kept. `vary` has header names in lower case.
    """

    ttl_s: float
    stale_while_revalidate_s: float
    stale_if_error_s: float
    per_key: bool
    vary: frozenset[str]
    identity: str


class CallPlan(Struct, frozen=True, kw_only=True):
    """One call, ready to run.

    `requires` are the calls it waits for, `fallback_requires` those that only its fallback needs (indices).
    `client_checks` refuse, before any call is made, what the client alone chose for this one.
    `shared`: another call of the route may send the identical request, and one answer serves both; with `coalesce` so
    may other requests. `keyed` says how
    the elements of its value are addressed; `when_each`: `when` decides for each element of the fan-out. `need` is what
    is looked into of its answer.
    """

    name: str
    index: int
    upstream: str
    method: str
    target: UrlTemplate
    query: tuple[Field, ...] = ()
    headers: tuple[Field, ...] = ()
    body: Evaluate | None = None
    form: tuple[Field, ...] | None = None
    decode: Literal["json", "text", "xml"] = "json"
    lists: frozenset[str] = frozenset()
    select: Callable[[Any], Any] | None = None
    select_text: str = ""
    when: Evaluate | None = None
    ok: frozenset[int]
    ok_if: Evaluate | None = None
    pass_status: frozenset[int] = frozenset()
    pass_body: bool = False
    fallback: Evaluate | None = None
    timeout_s: float | None = None
    max_body: int
    lazy: bool = False
    shared: bool = False
    fan: FanPlan | None = None
    keyed: Keyed | None = None
    when_each: bool = False
    cache: CachePlan | None = None
    coalesce: bool = False
    set_cookie: bool = False
    client_checks: tuple[Callable[[Scope], None], ...] = ()
    hash_key: Callable[[Scope], str | None] | None = None
    retry: RetryPlan | None = None
    hedge_s: float | None = None
    requires: tuple[int, ...] = ()
    fallback_requires: tuple[int, ...] = ()
    need: Need = READ


class CompositePlan(Struct, frozen=True, kw_only=True):
    """Calls and the shape of the answer. `roots` are the request roots that any expression reads.

    `media_type` is what a client must accept, None where only the answer knows. `vary` are the request's headers that
    expressions read; `private`: the answer depends on the client in a way that no header tells. `plain_headers`
    are those of an answer where neither the route nor a call says anything.
    """

    calls: tuple[CallPlan, ...]
    graph: Graph
    merge: Evaluate
    status: int
    headers: tuple[Field, ...]
    errors_field: str | None
    errors_header: str
    roots: frozenset[str]
    reads_calls: bool
    media_type: str | None
    vary: tuple[str, ...]
    private: bool
    etag: bool
    compress: bool
    plain_headers: tuple[tuple[str, str], ...]


class RouteCachePlan(Struct, frozen=True, kw_only=True):
    """On what terms a route's whole answers are kept and shared.

    `keyed` are the request headers (lower case) that part answers whatever those say; `query` the only parameters that
    do, None for all. `identity` is all in the configuration that an answer depends on: routes that differ in it share
    nothing. `roots` are those that `tags` read.
    """

    wishes: Wishes
    keyed: tuple[str, ...]
    query: frozenset[str] | None
    tags: tuple[Field, ...]
    roots: frozenset[str]
    max_object: int
    lock_s: float
    status_header: bool
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPlan:
    """An answer without a call: text or JSON."""

    status: int
    headers: tuple[Field, ...]
    body: Evaluate | None
    is_text: bool
    roots: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlan:
    """An error page. Without a `status` that of the error stays; a text's `body` never fails."""

    status: int | None
    headers: tuple[Field, ...]
    body: Evaluate | None
    is_text: bool
    roots: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectPlan:
    """`location` renders the whole Location value."""

    status: int
    location: Callable[[Scope], str]
    roots: frozenset[str]


Action = CompositePlan | ProxyPlan | ReplyPlan | RedirectPlan | LoginPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlan:
    """One route: what it does, within which limits."""

    name: str
    methods: tuple[str, ...]
    pattern: str
    host: str | None
    action: Action
    timeout_s: float
    max_body: int
    tests: tuple[Any, ...]
    summary: str
    error_pages: Mapping[int, PagePlan] = field(default_factory=dict, repr=False)
    cache: RouteCachePlan | None = None
    ip: IpPlan | None = None
    rate_limits: tuple[RateLimitPlan, ...] = ()
    concurrency: ConcurrencyPlan | None = None
    auth: AuthPlan | None = None
    allow: AllowPlan | None = None
    cors: CorsPlan | None = None
    validate: ValidatePlan | None = None
    bots: BotsPlan | None = None
    limits: LimitsPlan | None = None
    security_headers: tuple[tuple[str, str], ...] = ()
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """What holds for every route.

    `id` is our name in Via; a request with it from so many passes as `max_passes` goes round in a circle. `forwarded`:
    the fields that an upstream is told the way by.
    """

    max_target: int
    max_body: int
    drain_s: float
    body_s: float
    trusted_proxies: tuple[str, ...]
    compress: bool = True
    cache_bytes: int = 64 * 1024 * 1024
    cache_store: str | None = field(default=None, repr=False)  # it may hold a password
    cache_timeout_s: float = 0.1
    proxy_protocol: bool = False
    limit_store: str | None = field(default=None, repr=False)
    limit_timeout_s: float = 0.05
    send_s: float = 60.0
    shed_lag_s: float = 0.01
    shed_after_s: float = 1.0
    shed_wait_s: float = 1.0
    id: str = "proxy-composer"
    forwarded: Literal["x-forwarded", "forwarded", "both"] = "x-forwarded"
    max_passes: int = 5
    header_s: float = 10.0
    drain_delay_s: float = 0.0
    drain_idle_s: float = 1.0
    max_connections: int = 32768
    max_connections_per_client: int | None = None
    tls: ServerTlsPlan | None = None

    def needs_restart(self, started_with: "ServerPlan") -> tuple[str, ...]:
        """The keys of `server` that differ from what the listeners were opened with, and so have no effect yet."""
        found = ["max_target"] if self.max_target != started_with.max_target else []
        if self.proxy_protocol != started_with.proxy_protocol:
            found.append("proxy_protocol")
        if _fixed(self.tls) != _fixed(started_with.tls):
            found.append("tls")
        return tuple(found)


def _fixed(tls: ServerTlsPlan | None) -> tuple[str, str | None, bool] | None:
    """What of the listener's TLS is as it was opened: everything but the certificates, and the port in addresses."""
    return None if tls is None else (tls.min_version, tls.client_ca, tls.client_optional)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole configuration, compiled."""

    server: ServerPlan
    upstreams: dict[str, UpstreamPlan]
    routes: tuple[RoutePlan, ...]
    router: Router[RoutePlan]
    identity_headers: frozenset[str] = frozenset()
