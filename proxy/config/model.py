"""What routes.yaml may say, as pydantic models. They validate while loading and give the JSON Schema for editors.

Expressions are checked later, by the compiler that needs their meaning; here they are plain values. No model is
ever read while a request runs.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from proxy.config.calls import Call
from proxy.config.fields import (
    Bytes,
    Seconds,
    Status,
    Statuses,
    Strict,
    complain,
    in_list,
    one,
    one_or_many,
    unless_false,
)


class Timeouts(Strict):
    connect: Seconds = 1.0
    """How long opening a connection may take."""
    pool: Seconds = 1.0
    """How long a call may wait for a free connection; then 503."""
    first_byte: Seconds = 30.0
    """How long the upstream may take to begin its answer."""
    idle: Seconds = 30.0
    """How long the upstream may pause within its answer, or take nothing of a request's body."""


class Keepalive(Strict):
    idle: Seconds = 4.0
    """How long an unused connection is kept; shorter than the upstream's own."""


class Tls(Strict):
    """Of https upstreams. Paths are PEM files, relative to the configuration's folder."""

    ca: str | None = None
    """Who is trusted, instead of the system's authorities."""
    cert: str | None = None
    """Our own certificate, for upstreams that ask for one, and the chain to its authority."""
    key: str | None = None
    """Its key, if it is not in the same file; not encrypted."""
    server_name: str | None = None
    """The name that the certificate must have, and that is asked for (SNI), if it is not that of the URL."""
    verify: bool = True
    """False: whoever answers is believed."""


class Upstream(Strict):
    """A named service. `users: http://users:8001` is short for `users: {urls: ["http://users:8001"]}`."""

    urls: list[str] = Field(min_length=1)
    """Where it listens. Several are used in turn."""
    host: str = "upstream"
    """The Host header sent: `upstream` (its own), `preserve` (the client's), or a name."""
    forward_headers: list[str] = Field(default_factory=list)
    """Client headers that its calls get besides the default ones (accept-language, trace context, request id)."""
    max_connections: int = Field(default=128, ge=1)
    """Connections to each endpoint, for this process."""
    timeouts: Timeouts = Field(default_factory=one(Timeouts))
    keepalive: Keepalive = Field(default_factory=one(Keepalive))
    tls: Tls | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"urls": [value]} if isinstance(value, str) else value


class Match(Strict):
    """What requests a route is for. `GET /path` is short for `{path: /path, methods: [GET]}`."""

    path: str
    methods: Annotated[list[str], BeforeValidator(one_or_many)] | None = None
    host: str | None = None
    """A host name, or `*.example.com`."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers that must be there with exactly this value."""
    query: dict[str, str] = Field(default_factory=dict)
    """Query parameters that must be there with exactly this value."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        match value.split():
            case [path] if path.startswith("/"):
                return {"path": path}
            case [methods, path]:
                return {"methods": methods.split(","), "path": path}
        raise complain("bad-match", f"{value!r} is not a match", "write GET /path, GET,POST /path or /path")


class PathRewrite(Strict):
    strip_prefix: str | None = None
    add_prefix: str | None = None
    replace: str | None = None
    """The whole path, whatever the client's was."""


class HeaderRules(Strict):
    set: dict[str, str] = Field(default_factory=dict)
    add: dict[str, str] = Field(default_factory=dict)
    remove: list[str] = Field(default_factory=list)


class HeaderChanges(Strict):
    request: HeaderRules = Field(default_factory=one(HeaderRules))
    response: HeaderRules = Field(default_factory=one(HeaderRules))


class WebSocket(Strict):
    """`websocket: true` is all of this as it is unless said."""

    idle_timeout: Seconds = 300.0
    """How long neither side may send anything, ping and pong included."""
    drain: Seconds = 10.0
    """How long one that is open may live on after a stop has begun."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {} if value is True else value


class ProxyAction(Strict):
    """Passes the request through. `proxy: users` is short for `proxy: {to: users}`."""

    to: str
    path: PathRewrite = Field(default_factory=one(PathRewrite))
    headers: HeaderChanges = Field(default_factory=one(HeaderChanges))
    websocket: Annotated[WebSocket | None, BeforeValidator(unless_false)] = None
    """WebSockets may be opened."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"to": value} if isinstance(value, str) else value


class Reply(Strict):
    """A fixed or computed answer: text is sent as text, anything else as JSON."""

    status: Status = 200
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None


class Redirect(Strict):
    """`redirect: /new/${params.id}` is short for `redirect: {to: …}`."""

    to: str
    status: Literal[301, 302, 303, 307, 308] = 308

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"to": value} if isinstance(value, str) else value


class Respond(Strict):
    status: Status = 200
    headers: dict[str, Any] = Field(default_factory=dict)
    etag: bool = True
    """An entity tag from the body, and 304 for a client that has it already."""
    compress: bool | None = None
    """Compress for clients that accept it; where not said, as the server does."""


class Errors(Strict):
    field: str | None = None
    """Where a partial answer lists what failed; only when asked for."""
    header: str = "X-Partial"


class Stub(Strict):
    """What a call gets in a test, instead of its upstream."""

    json_: Any = Field(default=None, alias="json")
    body: str | None = None
    """Instead of `json`: text as it is."""
    status: Status = 200
    headers: dict[str, str] = Field(default_factory=dict)
    delay: Seconds | None = None
    """In the test's own time: it takes none."""
    drop: bool = False
    """The connection breaks instead."""


class RequestOfTest(Strict):
    """`GET /path` is short for `{path: /path, method: GET}`."""

    path: str
    method: str = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    json_: Any = Field(default=None, alias="json")
    body: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        method, _, path = value.partition(" ")
        return {"method": method, "path": path} if path else {"path": method}


class Expect(Strict):
    """What a test expects; what is left out may be anything (but the status, which is 200)."""

    status: Status = 200
    body: Any = None
    headers: dict[str, str | None] = Field(default_factory=dict)
    """null: it must not be there."""
    calls: dict[str, int] = Field(default_factory=dict)
    """How many requests each call made."""


class RouteTest(Strict):
    """A test of the route beside it, run by `proxy-composer test` without any network."""

    name: str
    request: RequestOfTest
    stubs: dict[str, Annotated[list[Stub], BeforeValidator(in_list)]] = Field(default_factory=dict)
    """By call (for `proxy`: by upstream). Several are used in turn; the last one repeats."""
    expect: Expect = Field(default_factory=one(Expect))


class Route(Strict):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    match: Match
    calls: dict[str, Call] | None = None
    merge: Any = None
    proxy: ProxyAction | None = None
    reply: Reply | None = None
    redirect: Redirect | None = None
    timeout: Seconds | None = None
    """The whole route's time, from the request's headers on."""
    max_body: Bytes | None = None
    """The largest request body."""
    max_calls: int = Field(default=64, ge=1)
    """The most calls that a route may declare."""
    max_items: int | None = Field(default=None, ge=1)
    """The most elements of one fan-out, 1000 unless said; more is an error, never a cut."""
    respond: Respond = Field(default_factory=one(Respond))
    errors: Errors = Field(default_factory=one(Errors))
    omit_missing: bool = False
    """Leave out the keys of missing values instead of writing null."""
    tests: list[RouteTest] = Field(default_factory=list)
    summary: str = ""
    tags: list[str] = Field(default_factory=list)

    @property
    def actions(self) -> list[str]:
        """The actions that are written; exactly one is right."""
        return [key for key in ("calls", "proxy", "reply", "redirect") if key in self.model_fields_set]


class CallDefaults(Strict):
    timeout: Seconds | None = None
    pass_status: Statuses = Field(default_factory=list)
    max_body: Bytes | None = None


class RouteDefaults(Strict):
    timeout: Seconds | None = None
    max_body: Bytes | None = None
    max_items: int | None = Field(default=None, ge=1)
    errors: Errors | None = None


class Defaults(Strict):
    call: CallDefaults = Field(default_factory=one(CallDefaults))
    route: RouteDefaults = Field(default_factory=one(RouteDefaults))


class Server(Strict):
    """The server itself. What is marked so needs a restart to change."""

    max_target: Bytes = 8190
    """The longest request line and header line (restart)."""
    max_body: Bytes = 8 * 1024 * 1024
    """The largest request body where a route does not say."""
    drain: Seconds = 10.0
    """How long a stop waits for requests under way."""
    drain_delay: Seconds | None = None
    """How long a stop goes on taking connections when readiness is off already: until balancers have seen it."""
    drain_idle: Seconds = 1.0
    """How long a stop leaves connections open that have no request under way: the next answer on one is the last."""
    header_timeout: Seconds = 10.0
    """How long a client may take for the head of a request, and for the first byte of a connection's first one."""
    body_timeout: Seconds = 30.0
    """How long a client may take to send its body; one that is passed on as it comes: how long it may pause."""
    send_timeout: Seconds = 60.0
    """How long a client may take nothing of its answer."""
    max_connections: int = Field(default=32768, ge=1)
    """How many clients' connections there may be, WebSockets included; and no more than the system lets be opened."""
    max_connections_per_client: int | None = Field(default=None, ge=1)
    """How many of them from one address; half of all unless said. Trusted proxies may have more."""
    trusted_proxies: list[str] = Field(default_factory=list)
    """Addresses or networks whose X-Forwarded-* headers are believed."""
    cache_size: Bytes = 64 * 1024 * 1024
    """What kept answers of calls may take of memory; those used longest ago go first."""
    compress: bool = True
    """Compress JSON and text from 1 KiB on that routes make here, for clients that accept it."""


class Config(Strict):
    """The whole configuration of a gateway."""

    version: Literal[1]
    include: Annotated[list[str], BeforeValidator(one_or_many)] = Field(default_factory=list)
    defaults: Defaults = Field(default_factory=one(Defaults))
    server: Server = Field(default_factory=one(Server))
    upstreams: dict[str, Upstream] = Field(default_factory=dict)
    routes: list[Route] = Field(default_factory=list)
