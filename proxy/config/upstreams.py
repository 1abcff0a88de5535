"""What an upstream may say, as pydantic models."""

from typing import Literal

from pydantic import Field, model_validator

from proxy.config.fields import Failures, Seconds, Share, Statuses, Strict, one
from proxy.config.identity import Identity


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
    srv: str | None = None
    """Instead of urls: the SRV records of this URL's host are the endpoints, with their ports and weights."""
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
    headers: dict[str, str] = Field(default_factory=dict)
    """What goes with every request to it, in the place of what a client or a route says."""
    identity: Identity | None = None
    """Who we are to it."""
    deadline_header: str | None = None
    """A header that tells it for how many milliseconds its answer will be waited for."""
    timeouts: Timeouts = Field(default_factory=one(Timeouts))
    keepalive: Keepalive = Field(default_factory=one(Keepalive))
    tls: Tls | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"urls": [value]} if isinstance(value, str) else value
