"""The parts of a plan. All frozen, all durations in seconds, all expressions already closures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct

from proxy.expr.needs import READ, Need
from proxy.expr.scope import Evaluate, Scope
from proxy.expr.urltemplate import UrlTemplate
from proxy.merge.keys import Keyed
from proxy.plan.graph import Graph
from proxy.plan.routing import Router
from proxy.policy.breaker import BreakerPlan
from proxy.policy.freshness import Wishes
from proxy.policy.retry import RetryPlan
from proxy.problems import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPlan:
    """One named upstream. Two equal plans may share one pool, which is how pools live through a reload.

    `weights` go with `endpoints`; none: all alike. With `dns` there are no endpoints: they are what its host resolves
    to, by SRV records if `srv`. `hash_key` is compiled from `hash_text` and reads `hash_roots` of the request.
    """

    name: str
    endpoints: tuple["Endpoint", ...]
    host: str
    forward_headers: tuple[str, ...]
    max_connections: int
    connect_s: float
    pool_s: float
    first_byte_s: float
    idle_s: float
    keepalive_s: float
    tls: "TlsPlan | None" = None
    weights: tuple[int, ...] = ()
    dns: "Endpoint | None" = None
    srv: bool = False
    balance: str = "p2c"
    hash_text: str = ""
    hash_key: Callable[[Scope], str | None] | None = field(default=None, compare=False, repr=False)
    hash_roots: frozenset[str] = frozenset()
    health: "HealthPlan | None" = None
    outlier: "OutlierPlan | None" = None
    slow_start_s: float = 0.0
    max_pending: int = 1024
    breaker: BreakerPlan | None = None
    retry_budget: float = 0.2
    deadline_header: str | None = None
    lifetime_s: float = 600.0

    @property
    def named(self) -> tuple["Endpoint", ...]:
        """What the file names: the endpoints, or what resolves to them."""
        return self.endpoints if self.dns is None else (*self.endpoints, self.dns)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPlan:
    """Active checks. `path` is from the root of the host, whatever the endpoint's targets start with."""

    path: str
    interval_s: float
    timeout_s: float
    passes: int
    fails: int
    statuses: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierPlan:
    """Passive ejection. `statuses`: answers of 5xx count, and not only the lack of an answer."""

    consecutive: int = 5
    eject_for_s: float = 30.0
    max_ejected: float = 0.5
    statuses: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPlan:
    """How an https upstream is trusted, and who we are to it: PEM files; `ca` is trusted instead of the system's.

    `stamp` tells one content of the files from another: new ones make another upstream, with connections of its own.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    server_name: str | None = None
    verify: bool = True
    stamp: str = ""


@dataclass(frozen=True)
class Endpoint:
    """One address of an upstream, and the path that its targets start with (no slash at its end)."""

    scheme: str
    host: str
    port: int
    base_path: str = ""
    address: str = ""
    """Where to connect to, if not to the host: one of its addresses."""

    @property
    def label(self) -> str:
        """How it is called in the log and the admin API: host and port, or address and port."""
        name = self.address or self.host
        return f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}"

    @cached_property
    def authority(self) -> str:
        """What the Host header says (RFC 9110 §7.2): the port only where it is not the scheme's own."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == {"http": 80, "https": 443}[self.scheme] else f"{name}:{self.port}"


class Field(Struct, frozen=True):
    """One header or query field. `client`: the request has a say in its value; `only_client`: the only one."""

    name: str
    evaluate: Evaluate
    client: bool
    only_client: bool
    text: str


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
class ProxyPlan:
    """A pass-through.

    `rewrite` maps the normalised request path to the upstream's, `restore` maps back (None: nowhere). `redirects`: what
    an answer refers to is mapped back too. With a `split`, `upstream` is the first of its variants.
    `vary` are the request's headers that its header rules read; `private`: the answer tells who asked.
    """

    upstream: str
    rewrite: Callable[[str], str]
    restore: Callable[[str], str | None]
    request_headers: "HeaderPlan"
    response_headers: "HeaderPlan"
    roots: frozenset[str]
    websocket: "WebSocketPlan | None" = None
    hash_key: Callable[[Scope], str | None] | None = None
    retry: RetryPlan | None = None
    timeouts: "TimeoutsPlan | None" = None
    redirects: bool = False
    cookies: "CookiePlan | None" = None
    mirror: "MirrorPlan | None" = None
    split: "SplitPlan | None" = None
    vary: tuple[str, ...] = ()
    private: bool = False

    @property
    def variants(self) -> tuple[str, ...]:
        """The upstreams that may answer, in the order of the file."""
        return (self.upstream,) if self.split is None else tuple(name for name, _ in self.split.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """Upstreams by weight. `sticky` gives the key of a request, `overrides` the upstream for a value of `header`."""

    weights: tuple[tuple[str, int], ...]
    sticky: Evaluate | None
    roots: frozenset[str]
    header: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorPlan:
    """Where a share of the requests goes a second time."""

    upstream: str
    share: float
    timeout_s: float
    max_body: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CookiePlan:
    """Changes to Set-Cookie. `paths` are prefixes without a slash at their end, the longest first; `domains` are in
    lower case, without a dot before, and None takes the attribute away; None elsewhere leaves it as it is.
    """

    restore_paths: bool = False
    paths: tuple[tuple[str, str], ...] = ()
    remove_domain: bool = False
    domains: tuple[tuple[str, str | None], ...] = ()
    secure: bool | None = None
    http_only: bool | None = None
    same_site: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketPlan:
    """How long a WebSocket may be silent, and how long it may go on when the gateway stops."""

    idle_s: float
    drain_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutsPlan:
    """A route's own limits in place of its upstream's; None is the upstream's."""

    connect_s: float | None
    first_byte_s: float | None
    idle_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPlan:
    """Changes to headers, in the order remove, set, add."""

    remove: frozenset[str] = frozenset()
    set: tuple[Field, ...] = ()
    add: tuple[Field, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.remove or self.set or self.add)


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


Action = CompositePlan | ProxyPlan | ReplyPlan | RedirectPlan


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

    def needs_restart(self, started_with: "ServerPlan") -> tuple[str, ...]:
        """The keys of `server` that differ from what the listeners were opened with, and so have no effect yet."""
        return ("max_target",) if self.max_target != started_with.max_target else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole configuration, compiled."""

    server: ServerPlan
    upstreams: dict[str, UpstreamPlan]
    routes: tuple[RoutePlan, ...]
    router: Router[RoutePlan]
