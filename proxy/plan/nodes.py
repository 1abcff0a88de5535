"""The parts of a plan. All frozen, all durations in seconds, all expressions already closures."""

from collections.abc import Callable
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
from proxy.problems import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPlan:
    """One named upstream. Two equal plans may share one pool, which is how pools live through a reload."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPlan:
    """A pass-through. `rewrite` maps the normalised request path to the upstream's."""

    upstream: str
    rewrite: Callable[[str], str]
    request_headers: "HeaderPlan"
    response_headers: "HeaderPlan"
    roots: frozenset[str]
    websocket: "WebSocketPlan | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketPlan:
    """How long a WebSocket may be silent, and how long it may go on when the gateway stops."""

    idle_s: float
    drain_s: float


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
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """What holds for every route."""

    max_target: int
    max_body: int
    drain_s: float
    body_s: float
    trusted_proxies: tuple[str, ...]
    compress: bool = True
    cache_bytes: int = 64 * 1024 * 1024
    send_s: float = 60.0
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
