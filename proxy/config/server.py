"""What `server` may say, as pydantic models."""

from typing import Literal

from pydantic import Field

from proxy.config.fields import Bytes, Seconds, Strict, one


class Shedding(Strict):
    """When more requests come than the process can answer, it takes on as many as it can, and the others wait."""

    lag: Seconds = 0.01
    """How late the process may be with everything."""
    after: Seconds = 1.0
    """For how long it must have been later than that until it takes on no more than it can."""
    wait: Seconds = 1.0
    """How long the others wait; then 503."""


class Certificate(Strict):
    """Paths are PEM files, relative to the configuration's folder and watched like it."""

    cert: str
    """The certificate, and behind it the chain to its authority."""
    key: str | None = None
    """Its key, if it is not in the same file; not encrypted."""
    names: list[str] = Field(default_factory=list)
    """The hosts that it is for, `*.example.com` too; clients that ask for another one get the first certificate."""


class ServerTls(Strict):
    """The listener speaks TLS. New files are taken without a restart; the other keys need one."""

    certificates: list[Certificate] = Field(min_length=1)
    min_version: Literal["1.2", "1.3"] = "1.2"
    client_ca: str | None = None
    """Clients have a certificate of this authority (mTLS)."""
    client_auth: Literal["required", "optional"] = "required"
    """Whether they must; what those have who come without says `auth` of type mtls."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """The port that clients know, for `--redirect-port`; the one listened on unless said."""


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
    """Addresses or networks that are believed about the way a request came."""
    identity_headers: list[str] | None = None
    """Headers that tell upstreams who asks, which no client may; unless said, those that a route writes claims into."""
    proxy_protocol: bool = False
    """Connections begin with a PROXY header (version 1 or 2), and come from `trusted_proxies` only (restart)."""
    forwarded: Literal["x-forwarded", "forwarded", "both"] = "x-forwarded"
    """The headers that upstreams of proxy routes are told that way by, and that trusted proxies are believed."""
    id: str = Field(default="proxy-composer", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """What this gateway is called in Via."""
    max_passes: int = Field(default=5, ge=1)
    """A request whose Via names this gateway so often goes round in a circle: 508."""
    cache_size: Bytes = 64 * 1024 * 1024
    """What kept answers may take of memory; those used longest ago go first."""
    cache_store: str = "memory"
    """Where answers of routes are kept: `memory`, or a Redis or Valkey that several processes share (`redis://…`)."""
    cache_max_object: Bytes = 1024 * 1024
    """The largest body of a route's answer that is kept, where the route does not say."""
    cache_timeout: Seconds = 0.1
    """How long a Redis may take; what it does not answer in time is a miss."""
    limit_store: str = "memory"
    """Where rate limits count: each process in its `memory`, or all in one Redis or Valkey (`redis://…`)."""
    limit_timeout: Seconds = 0.05
    """How long that may take; then it is away."""
    shedding: Shedding = Field(default_factory=one(Shedding))
    tls: ServerTls | None = None
    compress: bool = True
    """Compress JSON and text from 1 KiB on that routes make here, for clients that accept it."""
