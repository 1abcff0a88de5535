"""What routes.yaml may say, as pydantic models. They validate while loading and give the JSON Schema for editors.

Expressions are checked later, by the compiler that needs their meaning; here they are plain values. No model is
ever read while a request runs.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from proxy.config.units import parse_duration, parse_share, parse_size
from proxy.problems import Invalid


def _unit(parse: Any) -> BeforeValidator:
    """A validator from a parser that raises `Invalid`, keeping its code and hint."""

    def validate(value: object) -> object:
        try:
            return parse(value)
        except Invalid as error:
            raise PydanticCustomError(
                "config", "{message}", {"message": error.message, "code": error.code, "hint": error.hint}
            ) from None

    return BeforeValidator(validate)


def complain(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """A validation error that becomes a problem with this code and hint."""
    return PydanticCustomError("config", "{message}", {"message": message, "code": code, "hint": hint})


Seconds = Annotated[
    float, _unit(parse_duration), WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"})
]
Bytes = Annotated[
    int,
    _unit(parse_size),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|KB|MB|GB)$"}),
]
Share = Annotated[float, _unit(parse_share), WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$"})]


def _condition(value: object) -> object:
    if not isinstance(value, str | bool):
        raise complain("wrong-type", f"a condition is text, not {value!r}"[:120], "quote it: 'size(items) > 0'")
    return value


Cel = Annotated[
    str | bool,
    BeforeValidator(_condition),
    WithJsonSchema({"type": ["string", "boolean"], "description": "a CEL expression"}),
]
Status = Annotated[int, Field(ge=100, le=599)]


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _in_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _status_pattern(value: object) -> object:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[1-5](?:xx|[0-9]{2})", text):
        raise complain("bad-status", f"{value!r} is not a status", "write 404 or 4xx")
    return text


StatusPattern = Annotated[
    str,
    BeforeValidator(_status_pattern),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[1-5]xx$"}]}),
]
Statuses = Annotated[list[StatusPattern], BeforeValidator(_one_or_many)]


class Strict(BaseModel):
    """Unknown keys are errors; nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=Strict)


def one(model: type[S]) -> Callable[[], S]:
    """A default factory that gives one frozen instance to all; pydantic would copy it deeply for each route."""
    instance = model()
    return lambda: instance


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
    methods: Annotated[list[str], BeforeValidator(_one_or_many)] | None = None
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


class Batch(Strict):
    """`from` is the list of keys; at most `size` of them are asked for at once."""

    source: str = Field(alias="from")
    size: int = Field(default=50, ge=1)


class Call(Strict):
    """One request to an upstream."""

    get: str | None = None
    post: str | None = None
    put: str | None = None
    patch: str | None = None
    delete: str | None = None
    head: str | None = None
    query: dict[str, Any] = Field(default_factory=dict)
    """A list repeats the key; null or missing leaves it out."""
    headers: dict[str, Any] = Field(default_factory=dict)
    body: Any = None
    """Sent as JSON."""
    form: dict[str, Any] | None = None
    """Sent as application/x-www-form-urlencoded."""
    decode: Literal["json", "text", "xml"] = "json"
    lists: list[str] = Field(default_factory=list)
    """With `decode: xml`: the elements that are a list also when there is only one."""
    select: str | None = None
    """A path inside the answer; what it selects is stored."""
    when: Cel | None = None
    """False: the call is skipped and its value is null."""
    timeout: Seconds | None = None
    ok: Statuses = Field(default_factory=lambda: ["2xx"])
    """The statuses that count as success."""
    ok_if: Cel | None = None
    """A condition over this call's own status, headers and body."""
    pass_status: Statuses = Field(default_factory=list)
    """Statuses of a failure that become the route's own status."""
    pass_body: bool = False
    """Pass the upstream's JSON body with `pass_status`."""
    fallback: Any = None
    """The value when the call fails; writing it, even as null, makes the call optional."""
    for_each: str | None = None
    """A list; the call is made once for each of its distinct values that are not null, which is `$.each`."""
    batch: Batch | None = None
    """A list; the call is made for chunks of its distinct values that are not null; each chunk is `$.batch`."""
    key: str | None = None
    """The path of the key in each element returned; with it the elements can be found by $lookup."""
    many: bool = False
    """Several elements may have one key; $lookup gives the list of them."""
    key_type: Literal["str"] | None = None
    """`str` compares keys as text; otherwise their types must be equal too."""
    concurrency: int = Field(default=8, ge=1, le=1000)
    """Requests of a fan-out under way at once."""
    distinct: bool = True
    """False: `for_each` makes a call for each element, also for equal ones."""
    tolerate: Share | None = None
    """Fan-out: the share of elements that may fail before the call does."""
    lazy: bool = False
    """Started only when a fallback needs it."""
    set_cookie: bool = False
    """Pass the answer's Set-Cookie headers to the client, whose answer is then not stored."""
    after: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(default_factory=list)
    """Calls that must be over before this one starts, where no data says so."""
    max_body: Bytes | None = None
    sample: Any = None
    """An example of the answer's body: `check` then finds paths that cannot match it."""
    schema_: Any = Field(default=None, alias="schema")
    """The JSON Schema of the answer's body, for the same."""

    @property
    def methods(self) -> list[str]:
        """The method keys that are written; exactly one is right."""
        return [key for key in METHOD_KEYS if getattr(self, key) is not None]


METHOD_KEYS = ("get", "post", "put", "patch", "delete", "head")


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


class ProxyAction(Strict):
    """Passes the request through. `proxy: users` is short for `proxy: {to: users}`."""

    to: str
    path: PathRewrite = Field(default_factory=one(PathRewrite))
    headers: HeaderChanges = Field(default_factory=one(HeaderChanges))

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
    stubs: dict[str, Annotated[list[Stub], BeforeValidator(_in_list)]] = Field(default_factory=dict)
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
    body_timeout: Seconds = 30.0
    """How long a client may take to send its body; one that is passed on as it comes: how long it may pause."""
    send_timeout: Seconds = 60.0
    """How long a client may take nothing of an answer that is passed on as it comes."""
    trusted_proxies: list[str] = Field(default_factory=list)
    """Addresses or networks whose X-Forwarded-* headers are believed."""
    compress: bool = True
    """Compress JSON and text from 1 KiB on that routes make here, for clients that accept it."""


class Config(Strict):
    """The whole configuration of a gateway."""

    version: Literal[1]
    include: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(default_factory=list)
    defaults: Defaults = Field(default_factory=one(Defaults))
    server: Server = Field(default_factory=one(Server))
    upstreams: dict[str, Upstream] = Field(default_factory=dict)
    routes: list[Route] = Field(default_factory=list)
