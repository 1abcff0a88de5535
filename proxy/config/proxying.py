"""What a `proxy` route may say, as pydantic models."""

from types import NoneType
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from proxy.config.calls import Retry
from proxy.config.fields import Bytes, Seconds, Share, Strict, complain, one, unless_false


class PathRegex(Strict):
    """By a regular expression (RE2), where prefixes do not do."""

    match: str
    """Searched in the normalised path, percent-encoded as it is; ^ and $ are its ends."""
    to: str
    """What stands in its place: \\1 is the first group. A path that does not match stays as it is."""


class PathRewrite(Strict):
    strip_prefix: str | None = None
    add_prefix: str | None = None
    replace: str | None = None
    """The whole path, whatever the client's was."""
    regex: PathRegex | None = None


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
