"""What happened, as frozen values, and who may listen.

The runtime says what happened; it does not know whether a metric, a log line or a test is listening.
"""

from typing import Literal, Protocol

from msgspec import Struct

from proxy.message import Request, Response


class RequestFinished(Struct, frozen=True):
    """A client has its answer. `seconds` is the time from the request's headers to the answer's."""

    request: Request
    response: Response
    seconds: float
    generation: int


class CallFinished(Struct, frozen=True):
    """A call to an upstream has ended; `status` is 0 when there was no answer."""

    route: str
    call: str
    upstream: str
    status: int
    seconds: float
    error: str | None


class CacheLooked(Struct, frozen=True):
    """Kept answers were looked for: `hit`, `stale` or `miss`, so many times; of a route as a whole `call` is empty.

    A whole answer may also be `revalidated`, or the cache passed by (`bypass`).
    """

    route: str
    call: str
    result: str
    count: int


class WebSocketChanged(Struct, frozen=True):
    """One more WebSocket is open on a route (`change` is 1), or one fewer (-1)."""

    route: str
    change: int


class EndpointChanged(Struct, frozen=True):
    """An endpoint of an upstream gets requests or does not any more: healthy, unhealthy, ejected, added or removed."""

    upstream: str
    endpoint: str
    state: str
    reason: str


class ExtraRequest(Struct, frozen=True):
    """An upstream might have got a request that nobody asked for: a `retry` or a `hedge`.

    `result`: `sent`, or `denied` by its budget; a hedge that answered first has also `won`.
    """

    upstream: str
    kind: str
    result: str


class BreakerChanged(Struct, frozen=True):
    """A circuit breaker is now `closed`, `open` or `half_open`. `endpoint` is empty for one of a whole upstream."""

    upstream: str
    endpoint: str
    state: str


class RequestShed(Struct, frozen=True):
    """A request was refused because the process is late. It is in no other event: telling more would take time."""

    waited_s: float


MirrorResult = Literal["sent", "failed", "skipped"]


class Mirrored(Struct, frozen=True):
    """A copy of a request was answered, or not, or was not made: its body is too large, or too many are under way."""

    route: str
    upstream: str
    result: MirrorResult


class CacheFailed(Struct, frozen=True):
    """What keeps answers did not do its work: `error`, `timeout`, or not even asked because of an `outage`."""

    operation: str
    reason: str


class LimitsUncounted(Struct, frozen=True):
    """What all processes count in did not do so: `error`, `timeout`, or not even asked because of an `outage`."""

    route: str
    reason: str


class Reloaded(Struct, frozen=True):
    """A new configuration serves."""

    generation: int
    reason: str
    seconds: float


class ReloadFailed(Struct, frozen=True):
    """A new configuration was refused; the one before it goes on."""

    reason: str
    problems: tuple[str, ...]


Event = (
    RequestFinished
    | CallFinished
    | CacheLooked
    | CacheFailed
    | LimitsUncounted
    | WebSocketChanged
    | EndpointChanged
    | ExtraRequest
    | BreakerChanged
    | RequestShed
    | Mirrored
    | Reloaded
    | ReloadFailed
)


class Observer(Protocol):
    """Somebody who is told. Must be quick and must not raise."""

    def __call__(self, event: Event, /) -> None: ...
