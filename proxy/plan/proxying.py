"""The plan of a pass-through. Frozen, durations in seconds, expressions already closures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from proxy.expr.scope import Evaluate, Scope
from proxy.plan.field import Field
from proxy.policy.retry import RetryPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPlan:
    """A pass-through.

    `rewrite` maps the normalised request path to the upstream's, `restore` maps back (None: nowhere). `redirects`: what
    an answer refers to is mapped back too. With a `split`, `upstream` is the first of its variants.
    `vary` are the request's headers that its header rules read; `private`: the answer tells who asked.
    """

    upstream: str
    rewrite: Callable[[str], str]
    restore: Callable[[str], str | None]
    request_headers: "HeaderPlan"
    response_headers: "HeaderPlan"
    roots: frozenset[str]
    websocket: "WebSocketPlan | None" = None
    hash_key: Callable[[Scope], str | None] | None = None
    retry: RetryPlan | None = None
    timeouts: "TimeoutsPlan | None" = None
    redirects: bool = False
    cookies: "CookiePlan | None" = None
    mirror: "MirrorPlan | None" = None
    split: "SplitPlan | None" = None
    vary: tuple[str, ...] = ()
    private: bool = False

    @property
    def variants(self) -> tuple[str, ...]:
        """The upstreams that may answer, in the order of the file."""
        return (self.upstream,) if self.split is None else tuple(name for name, _ in self.split.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """Upstreams by weight. `sticky` gives the key of a request, `overrides` the upstream for a value of `header`."""

    weights: tuple[tuple[str, int], ...]
    sticky: Evaluate | None
    roots: frozenset[str]
    header: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorPlan:
    """Where a share of the requests goes a second time."""

    upstream: str
    share: float
    timeout_s: float
    max_body: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CookiePlan:
    """Changes to Set-Cookie. `paths` are prefixes without a slash at their end, the longest first; `domains` are in
    lower case, without a dot before, and None takes the attribute away; None elsewhere leaves it as it is.
    """

    restore_paths: bool = False
    paths: tuple[tuple[str, str], ...] = ()
    remove_domain: bool = False
    domains: tuple[tuple[str, str | None], ...] = ()
    secure: bool | None = None
    http_only: bool | None = None
    same_site: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketPlan:
    """How long a WebSocket may be silent, and how long it may go on when the gateway stops."""

    idle_s: float
    drain_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutsPlan:
    """A route's own limits in place of its upstream's; None is the upstream's."""

    connect_s: float | None
    first_byte_s: float | None
    idle_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPlan:
    """Changes to headers, in the order remove, set, add."""

    remove: frozenset[str] = frozenset()
    set: tuple[Field, ...] = ()
    add: tuple[Field, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.remove or self.set or self.add)
