"""What happened, as frozen values, and who may listen.

The runtime says what happened; it does not know whether a metric, a log line or a test is listening.
"""

from dataclasses import dataclass
from typing import Protocol

from proxy.message import Request, Response


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """A client has its answer. `seconds` is the time from the request's headers to the answer's."""

    request: Request
    response: Response
    seconds: float
    generation: int


@dataclass(frozen=True, slots=True)
class CallFinished:
    """A call to an upstream has ended; `status` is 0 when there was no answer."""

    route: str
    call: str
    upstream: str
    status: int
    seconds: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A new configuration serves."""

    generation: int
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ReloadFailed:
    """A new configuration was refused; the one before it goes on."""

    reason: str
    problems: tuple[str, ...]


Event = RequestFinished | CallFinished | Reloaded | ReloadFailed


class Observer(Protocol):
    """Somebody who is told. Must be quick and must not raise."""

    def __call__(self, event: Event, /) -> None: ...
