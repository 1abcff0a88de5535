"""The plan of an upstream: its endpoints and its limits. Frozen, durations in seconds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from proxy.expr.scope import Scope
from proxy.plan.identity import IdentityPlan
from proxy.policy.breaker import BreakerPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPlan:
    """One named upstream. Two equal plans may share one pool, which is how pools live through a reload.

    `weights` go with `endpoints`; none: all alike. With `dns` there are no endpoints: they are what its host resolves
    to, by SRV records if `srv`. `hash_key` is compiled from `hash_text` and reads `hash_roots` of the request.
    """

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
    weights: tuple[int, ...] = ()
    dns: "Endpoint | None" = None
    srv: bool = False
    balance: str = "p2c"
    hash_text: str = ""
    hash_key: Callable[[Scope], str | None] | None = field(default=None, compare=False, repr=False)
    hash_roots: frozenset[str] = frozenset()
    health: "HealthPlan | None" = None
    outlier: "OutlierPlan | None" = None
    slow_start_s: float = 0.0
    max_pending: int = 1024
    breaker: BreakerPlan | None = None
    retry_budget: float = 0.2
    deadline_header: str | None = None
    lifetime_s: float = 600.0
    identity: IdentityPlan | None = None

    @property
    def named(self) -> tuple["Endpoint", ...]:
        """What the file names: the endpoints, or what resolves to them."""
        return self.endpoints if self.dns is None else (*self.endpoints, self.dns)

    def host_for(self, asked: str) -> str | None:
        """The Host to send with a request of a client that asked for `asked`; None is the endpoint's own."""
        if self.host == "preserve":
            return asked
        return None if self.host == "upstream" else self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPlan:
    """Active checks. `path` is from the root of the host, whatever the endpoint's targets start with."""

    path: str
    interval_s: float
    timeout_s: float
    passes: int
    fails: int
    statuses: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierPlan:
    """Passive ejection. `statuses`: answers of 5xx count, and not only the lack of an answer."""

    consecutive: int = 5
    eject_for_s: float = 30.0
    max_ejected: float = 0.5
    statuses: bool = True


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
    address: str = ""
    """Where to connect to, if not to the host: one of its addresses."""

    @property
    def label(self) -> str:
        """How it is called in the log and the admin API: host and port, or address and port."""
        name = self.address or self.host
        return f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}"

    @cached_property
    def authority(self) -> str:
        """What the Host header says (RFC 9110 §7.2): the port only where it is not the scheme's own."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == {"http": 80, "https": 443}[self.scheme] else f"{name}:{self.port}"
