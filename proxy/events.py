"""What happened, as frozen values, and who may listen.

The runtime says what happened; it does not know whether a metric, a log line or a test is listening.
"""

from typing import Protocol

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


class CacheFailed(Struct, frozen=True):
    """What keeps answers did not do its work: `error`, `timeout`, or not even asked because of an `outage`."""

    operation: str
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


Event = RequestFinished | CallFinished | CacheLooked | CacheFailed | Reloaded | ReloadFailed


class Observer(Protocol):
    """Somebody who is told. Must be quick and must not raise."""

    def __call__(self, event: Event, /) -> None: ...
