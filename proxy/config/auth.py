"""Who asks: the providers of `auth`, by name. One model for all types, so that a wrong key is named where it stands."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from proxy.config.fields import Seconds, Strict, one_or_many

Names = Annotated[list[str], BeforeValidator(one_or_many)]
"""`shop`, or `[shop, partners]`."""


class Secret(Strict):
    """One who may come in, by what only they know."""

    sha256: str | None = None
    """The SHA-256 of it, in hex."""
    secret: str | None = None
    """It itself, from `${secret.name}`."""
    claims: dict[str, Any] = Field(default_factory=dict)
    """What `$.claims` has of them, besides `sub`, their name."""


class Session(Strict):
    """The cookie that says who has logged in."""

    secret: Annotated[list[str], BeforeValidator(one_or_many)] = Field(min_length=1)
    """What it is encrypted with, from `${secret.name}`: at least 32 characters. The first encrypts, all decrypt."""
    name: str = Field(default="session", pattern=r"^[A-Za-z0-9_-]+$")
    """What it is called; over https with `__Host-` before it."""
    lifetime: Seconds = 8 * 3600.0
    """How long a login is good."""
    claims: list[str] | None = None
    """What of the ID token is kept; all that is about the person unless said."""


class Auth(Strict):
    """A way to tell who asks."""

    type: Literal["api_key", "basic", "jwt", "forward", "mtls", "oidc"]
    header: str | None = None
    """Of `api_key` (X-API-Key) and `jwt` (Authorization): where the credential stands."""
    query: str | None = None
    """Of `api_key`: the query parameter where it stands, instead of a header."""
    cookie: str | None = None
    """Of `jwt`: the cookie where it stands, instead of a header."""
    keys: dict[str, Secret] | None = None
    """Of `api_key`: by the name of whose they are."""
    redis: str | None = None
    """Of `api_key`: a Redis or Valkey that knows more keys: `<prefix><SHA-256 in hex>` → claims as JSON."""
    prefix: str | None = None
    """Of `api_key`: what their names there begin with; `proxy-composer:key:` unless said."""
    users: dict[str, Secret] | None = None
    """Of `basic`: by user name."""
    jwks: str | dict[str, Any] | None = None
    """Of `jwt`: the issuer's public keys (RFC 7517): their URL, a file beside the configuration, or they themselves."""
    algorithms: list[str] | None = None
    """Of `jwt`: those that may have signed; RS256, ES256 and EdDSA unless said."""
    issuer: Names | None = None
    """Of `jwt`: `iss` is one of these."""
    audience: Names | None = None
    """Of `jwt`: `aud` names one of these."""
    scopes: Names | None = None
    """Of `jwt`: all of these are in `scope`, else 403. Of `oidc`: what is asked for; [profile, email] unless said."""
    leeway: Seconds | None = None
    """Of `jwt`: by how much clocks may differ; 30s unless said."""
    refresh: Seconds | None = None
    """How old keys get before they are asked for anew: of `jwt` 10m unless said, in the Redis of `api_key` 10s."""
    cooldown: Seconds | None = None
    """Of `jwt`: a key that nobody knows makes them fetched at most this often; 30s unless said."""
    to: str | None = None
    """Of `forward`: who decides, `upstream:/path`. It is asked with GET and lets in by any 2xx."""
    request_headers: Names | None = None
    """Of `forward`: the client's headers that it sees; [Authorization, Cookie] unless said."""
    upstream_headers: Names | None = None
    """Of `forward`: headers of its answer that stand in the request from then on, instead of the client's."""
    client_headers: Names | None = None
    """Of `forward`: headers of its answer that the client gets."""
    claims: dict[str, str] | None = None
    """Of `forward`: what `$.claims` has, by the header of the answer that says it."""
    timeout: Seconds | None = None
    """How long that may take: of `forward` 5s unless said, of the Redis of `api_key` 100ms."""
    subject: Literal["cn", "subject", "dns", "uri", "email", "fingerprint"] | None = None
    """Of `mtls`: what of the certificate is `$.claims.sub`; `cn` unless said."""
    client_id: str | None = None
    """Of `oidc`: what the issuer calls this gateway."""
    client_secret: str | None = None
    """Of `oidc`: from `${secret.name}`; none for a public client."""
    base_url: str | None = None
    """Of `oidc`: how browsers get here, `https://shop.example.com`; unless said, what they asked for."""
    callback: str = "/oauth2/callback"
    """Of `oidc`: where the issuer sends them back to."""
    logout: str = "/oauth2/logout"
    """Of `oidc`: where they are logged out."""
    session: Session | None = None
    """Of `oidc`."""
