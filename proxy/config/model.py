"""What routes.yaml may say, as pydantic models. They validate while loading and give the JSON Schema for editors.

Expressions are checked later, by the compiler that needs their meaning; here they are plain values. No model is
ever read while a request runs.
"""

from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from proxy.config.calls import Call, Retry
from proxy.config.fields import (
    Bytes,
    Failures,
    Seconds,
    Share,
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
    lifetime: Seconds = 600.0
    """After how long a connection is not used again, so that what a name resolves to has its effect."""


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


class Url(Strict):
    """`http://users:8001` is short for `{url: "http://users:8001"}`."""

    url: str
    weight: int = Field(default=1, ge=1, le=1000)
    """Its share of the requests, beside those of the others."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value


class Balance(Strict):
    """Which endpoint gets a request. `balance: p2c` is short for `balance: {policy: p2c}`."""

    policy: Literal["p2c", "round_robin", "least_requests", "ewma", "random"] = "p2c"
    hash: str | None = None
    """Instead of a policy: requests for which this expression has the same value go to the same endpoint."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"policy": value} if isinstance(value, str) else value


class Health(Strict):
    """Active checks: every endpoint is asked for this path."""

    path: str
    """From the root of the host."""
    interval: Seconds = 5.0
    timeout: Seconds = 1.0
    passes: int = Field(default=2, ge=1)
    """So many good checks in a row make it healthy again."""
    fails: int = Field(default=3, ge=1)
    """So many bad checks in a row make it unhealthy."""
    status: Statuses = Field(default_factory=lambda: ["2xx"])
    """What a good check is answered with."""


class Outlier(Strict):
    """Endpoints that fail several requests in a row get none for a while."""

    consecutive_5xx: int = Field(default=5, ge=1)
    """So many failures in a row: statuses of 5xx, time-outs, and requests without an answer."""
    eject_for: Seconds = 30.0
    """The first time; then twice, three times … as long, at most ten times."""
    max_ejected: Share = 0.5
    """The most endpoints that may be out, of all. 0% ejects none."""


class Breaker(Strict):
    """An upstream that fails too often is not asked for a while."""

    failures: Failures = 0.5
    """The share of requests that may fail, or how many: with so many it opens."""
    window: Seconds = 10.0
    min_calls: int = Field(default=20, ge=1)
    """A share of fewer requests than these says nothing."""
    open_for: Seconds = 5.0
    probes: int = Field(default=1, ge=1, le=100)
    """So many requests are then let through, and it closes if all of them are well."""
    per: Literal["upstream", "endpoint"] = "upstream"


class Upstream(Strict):
    """A named service. `users: http://users:8001` is short for `users: {urls: ["http://users:8001"]}`."""

    urls: list[Url] = Field(default_factory=list, min_length=1)
    """Where it listens: one or several endpoints."""
    dns: str | None = None
    """Instead of urls: every address that the host of this URL resolves to is an endpoint, looked up every 5s."""
    balance: Balance = Field(default_factory=one(Balance))
    health: Health | None = None
    outlier: Outlier | None = None
    slow_start: Seconds | None = None
    """How long an endpoint that comes back gets less than its share."""
    host: str = "upstream"
    """The Host header sent: `upstream` (its own), `preserve` (the client's), or a name."""
    forward_headers: list[str] = Field(default_factory=list)
    """Client headers that its calls get besides the default ones (accept-language, trace context, request id)."""
    max_connections: int = Field(default=128, ge=1)
    """Connections to each endpoint, for this process."""
    max_pending: int = Field(default=1024, ge=0)
    """Requests that may wait for a connection to an endpoint; more get 503 at once."""
    breaker: Breaker | None = None
    retry_budget: Share = 0.2
    """Retries and hedges beside the ordinary requests, all calls together."""
    deadline_header: str | None = None
    """A header that tells it for how many milliseconds its answer will be waited for."""
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


def _word_or_mapping(word: str, *kinds: type) -> BeforeValidator:
    """A validator for one word, or a mapping to values of these kinds."""

    def validate(value: object) -> object:
        if value is None or value == word:
            return value
        if not isinstance(value, dict) or not all(isinstance(inner, kinds) for inner in value.values()):
            raise complain("wrong-type", f"this is neither {word!r} nor a mapping of names", f"write {word}")
        return value

    return BeforeValidator(validate)


class Cookies(Strict):
    """Changes to the cookies of an upstream. `cookies: rewrite` is short for `{path: rewrite, domain: remove}`."""

    path: Annotated[Literal["rewrite"] | dict[str, str] | None, _word_or_mapping("rewrite", str)] = None
    """`rewrite`: back through the path rule; or prefixes, as {"/v1": "/files"}, the longest first."""
    domain: Annotated[Literal["remove"] | dict[str, str | None] | None, _word_or_mapping("remove", str, NoneType)] = (
        None
    )
    """`remove`: the cookie is for the host that the client asked; or names, as {internal.example: example.com}."""
    secure: bool | None = None
    http_only: bool | None = None
    same_site: Literal["strict", "lax", "none"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"path": "rewrite", "domain": "remove"} if value == "rewrite" else value


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


class ProxyTimeouts(Strict):
    """In place of the upstream's own."""

    connect: Seconds | None = None
    first_byte: Seconds | None = None
    idle: Seconds | None = None


class Override(Strict):
    """A request whose header has one of these values gets that variant."""

    header: str
    values: dict[str, str] = Field(min_length=1)


class Split(Strict):
    """Variants of a service, each with its share of the requests."""

    to: dict[str, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(min_length=1)
    """Upstreams and their weights; one of weight 0 gets what `override` sends there."""
    sticky: str | None = None
    """Requests for which this expression has the same value get the same variant, as long as weights allow."""
    override: Override | None = None


class Mirror(Strict):
    """Copies of requests for another upstream. `mirror: users-v2` is short for `mirror: {to: users-v2}`."""

    to: str
    share: Share = 1.0
    """How many of the requests are copied."""
    timeout: Seconds = 2.0
    """How long a copy may take."""
    max_body: Bytes = 64 * 1024
    """Requests with a larger body are not copied. At most 1MiB."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"to": value} if isinstance(value, str) else value


class ProxyAction(Strict):
    """Passes the request through. `proxy: users` is short for `proxy: {to: users}`."""

    to: str | None = None
    split: Split | None = None
    """Instead of `to`: several upstreams, by weight."""
    path: PathRewrite = Field(default_factory=one(PathRewrite))
    headers: HeaderChanges = Field(default_factory=one(HeaderChanges))
    redirects: Literal["pass", "rewrite"] = "pass"
    """`rewrite`: Location, Content-Location and Refresh lead back to this gateway, through the path rule."""
    cookies: Cookies | None = None
    websocket: Annotated[WebSocket | None, BeforeValidator(unless_false)] = None
    """WebSockets may be opened."""
    timeouts: ProxyTimeouts = Field(default_factory=one(ProxyTimeouts))
    retry: Retry | None = None
    mirror: Mirror | None = None

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


class ErrorPage(Strict):
    """What a client gets in place of an error: text is sent as text, anything else as JSON."""

    status: Status | None = None
    """Instead of the error's own."""
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    """May read the request (but its body), and error.status, error.code and error.detail."""


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
    error_pages: dict[str, ErrorPage] = Field(default_factory=dict)
    """By status (404) or class of statuses (5xx), for errors of the upstream and of the gateway; of calls and proxy."""
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
    retry: Retry | None = None
    pass_status: Statuses = Field(default_factory=list)
    max_body: Bytes | None = None


class RouteDefaults(Strict):
    timeout: Seconds | None = None
    max_body: Bytes | None = None
    max_items: int | None = Field(default=None, ge=1)
    errors: Errors | None = None
    error_pages: dict[str, ErrorPage] = Field(default_factory=dict)


class Defaults(Strict):
    call: CallDefaults = Field(default_factory=one(CallDefaults))
    route: RouteDefaults = Field(default_factory=one(RouteDefaults))


class Shedding(Strict):
    """When more requests come than the process can answer, it takes on as many as it can, and the others wait."""

    lag: Seconds = 0.01
    """How late the process may be with everything."""
    after: Seconds = 1.0
    """For how long it must have been later than that until it takes on no more than it can."""
    wait: Seconds = 1.0
    """How long the others wait; then 503."""


class Server(Strict):
    """The server itself. What is marked so needs a restart to change."""

    max_target: Bytes = 8190
    """The longest request line and header line (restart)."""
    max_body: Bytes = 8 * 1024 * 1024
    """The largest request body where a route does not say."""
    drain: Seconds = 10.0
    """How long a stop waits for requests under way."""
    body_timeout: Seconds = 30.0
    """How long a client may take to send its body; one that is passed on as it comes: how long it may pause."""
    send_timeout: Seconds = 60.0
    """How long a client may take nothing of an answer that is passed on as it comes."""
    trusted_proxies: list[str] = Field(default_factory=list)
    """Addresses or networks that are believed about the way a request came."""
    forwarded: Literal["x-forwarded", "forwarded", "both"] = "x-forwarded"
    """The headers that upstreams of proxy routes are told that way by, and that trusted proxies are believed."""
    id: str = Field(default="proxy-composer", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """What this gateway is called in Via."""
    max_passes: int = Field(default=5, ge=1)
    """A request whose Via names this gateway so often goes round in a circle: 508."""
    cache_size: Bytes = 64 * 1024 * 1024
    """What kept answers of calls may take of memory; those used longest ago go first."""
    shedding: Shedding = Field(default_factory=one(Shedding))
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
