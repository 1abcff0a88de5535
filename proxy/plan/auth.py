"""The plans of who may ask: what a credential is, where it stands, and what makes it good."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from proxy.expr.scope import Evaluate

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeysPlan:
    """Keys in a header or a query parameter. `holders`: the key's SHA-256 → the claims of whose it is. `stored`: where
    more of them are.
    """

    name: str
    header: str | None
    query: str | None
    holders: Mapping[bytes, Claims] = field(repr=False)
    stored: "StoredKeysPlan | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKeysPlan:
    """A Redis of keys: `prefix` and the SHA-256 in hex → claims as JSON, believed for `refresh_s`."""

    url: str = field(repr=False)
    prefix: str
    timeout_s: float
    refresh_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicPlan:
    """RFC 7617. `users`: user name → the password's SHA-256, and the claims."""

    name: str
    users: Mapping[str, tuple[bytes, Claims]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtPlan:
    """Signed tokens (RFC 7519). Keys come from `url`, or are `keys`, the document of a key set."""

    name: str
    header: str
    cookie: str | None
    url: str | None
    keys: Mapping[str, Any] | None
    algorithms: frozenset[str]
    issuers: frozenset[str]
    audiences: frozenset[str]
    scopes: frozenset[str]
    leeway_s: float
    refresh_s: float
    cooldown_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardPlan:
    """An upstream decides. `target` is the path that it is asked for.

    Names of headers: `asks` go to it, `passes` come from it and take the place of the client's, `tells` come from it
    and go to the client. `claims`: what `$.claims` has by what name, and the header that says it.
    """

    name: str
    upstream: str
    target: str
    asks: tuple[str, ...]
    passes: tuple[str, ...]
    tells: tuple[str, ...]
    claims: tuple[tuple[str, str], ...]
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MtlsPlan:
    """The client's certificate. `subject` is the part of it that `$.claims.sub` is; a list's only member."""

    name: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcPlan:
    """A login at an issuer (OpenID Connect Core 1.0, code flow with PKCE), and the cookie that remembers it.

    `keys` decrypt the cookie, the first one encrypts it. `kept`: which claims it holds, None for all about the person.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: tuple[str, ...]
    algorithms: frozenset[str]
    leeway_s: float
    base_url: str | None
    callback: str
    logout: str
    cookie: str
    keys: tuple[bytes, ...] = field(repr=False)
    lifetime_s: float
    kept: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPlan:
    """The action of a path that belongs to a provider: where a login ends, or a logout."""

    provider: OidcPlan
    step: Literal["callback", "logout"]
    roots: frozenset[str] = frozenset()


ProviderPlan = ApiKeysPlan | BasicPlan | JwtPlan | ForwardPlan | MtlsPlan | OidcPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthPlan:
    """The providers of a route, any of which will do, and the request headers in which their credentials stand."""

    providers: tuple[ProviderPlan, ...]
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowPlan:
    """A condition on the request: what it reads, and whether it holds."""

    evaluate: Evaluate
    roots: frozenset[str]
