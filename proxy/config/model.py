"""What routes.yaml may say, as pydantic models. They validate while loading and give the JSON Schema for editors.

Expressions are checked later, by the compiler that needs their meaning; here they are plain values. No model is
ever read while a request runs.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from proxy.config.auth import Auth, Names
from proxy.config.calls import Call, Retry
from proxy.config.cors import Cors
from proxy.config.fields import Bytes, Cel, Seconds, Status, Statuses, Strict, complain, in_list, one, one_or_many
from proxy.config.ip import IpRules
from proxy.config.proxying import ProxyAction
from proxy.config.ratelimit import Concurrency, RateLimit
from proxy.config.route_tests import RouteTest
from proxy.config.server import Server
from proxy.config.shield import Bots, Limits, SecurityHeaders
from proxy.config.upstreams import Upstream
from proxy.config.validate import Validate


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


class RouteCache(Strict):
    """Whole answers of a route that are kept and shared, as a shared HTTP cache does (RFC 9111)."""

    ttl: Seconds | None = None
    """For how long where an answer does not say, and at most. Left out: for as long as the answer says."""
    stale_while_revalidate: Seconds | None = None
    """For how long after that it is still used while a new one is asked for; left out: as the answer says."""
    stale_if_error: Seconds | None = None
    """For how long after that it stands in for an error; left out: as the answer says."""
    vary: list[str] = Field(default_factory=list)
    """Request headers that part answers, besides those that the answer's own Vary names."""
    query: list[str] | None = None
    """The only query parameters that part answers; no others are sent on. Left out: the whole query."""
    tags: list[str] = Field(default_factory=list)
    """Names to purge answers by; `product-${params.id}` is one."""
    max_object: Bytes | None = None
    """The largest body that is kept; `server.cache_max_object` where not said."""
    lock_timeout: Seconds = 5.0
    """How long a request waits for another one's answer before it asks itself."""
    status_header: bool = False
    """Tell clients in Cache-Status what the cache did (RFC 9211)."""


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


class Route(Strict):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    match: Match
    calls: dict[str, Call] | None = None
    merge: Any = None
    proxy: ProxyAction | None = None
    reply: Reply | None = None
    redirect: Redirect | None = None
    auth: Names | None = None
    """Who may ask: one of these providers of `auth` knows them, else 401."""
    allow: Cel | None = None
    """A condition over claims, request, client, params, query, headers and cookies; not true: 403."""
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
    cache: RouteCache | None = None
    """Keep whole answers, of `proxy` or of `calls`."""
    cors: Cors | None = None
    """Pages of which origins may read its answers."""
    ip: IpRules | None = None
    """From where it may be asked."""
    bots: Bots | None = None
    """Which clients may not ask, by what they say that they are."""
    limits: Limits | None = None
    """How long its requests may be."""
    security_headers: SecurityHeaders | None = None
    """What its answers tell browsers to do without: true, or a mapping of what is to be otherwise."""
    rate_limit: Annotated[list[RateLimit], BeforeValidator(in_list)] = Field(default_factory=list)
    """How often it may be asked; several limits hold together."""
    concurrency: Concurrency | None = None
    """How many of its requests may be under way at once."""
    validate_: Validate | None = Field(default=None, alias="validate")
    """What its requests must look like, as JSON Schemas; else 422."""
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
    cors: Cors | None = None
    ip: IpRules | None = None
    bots: Bots | None = None
    limits: Limits | None = None
    security_headers: SecurityHeaders | None = None
    error_pages: dict[str, ErrorPage] = Field(default_factory=dict)


class Defaults(Strict):
    call: CallDefaults = Field(default_factory=one(CallDefaults))
    route: RouteDefaults = Field(default_factory=one(RouteDefaults))


class Config(Strict):
    """The whole configuration of a gateway."""

    version: Literal[1]
    include: Annotated[list[str], BeforeValidator(one_or_many)] = Field(default_factory=list)
    defaults: Defaults = Field(default_factory=one(Defaults))
    server: Server = Field(default_factory=one(Server))
    upstreams: dict[str, Upstream] = Field(default_factory=dict)
    auth: dict[str, Auth] = Field(default_factory=dict)
    """Providers by name: how it is told who asks."""
    routes: list[Route] = Field(default_factory=list)
