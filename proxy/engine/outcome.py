"""How a call ended: done, skipped, or failed. A failure may have a fallback, which gives the value."""

from dataclasses import dataclass, field
from typing import Any

from proxy.errors import GatewayError
from proxy.message import Headers


@dataclass(slots=True)
class Done:
    """The upstream answered with success; `value` is what is stored."""

    status: int
    headers: Headers
    value: Any
    inner_partial: str | None = None


@dataclass(slots=True)
class Skipped:
    """`when` was false; the value is null and nothing failed."""


@dataclass(slots=True)
class Failed:
    """The call failed. `status` is the upstream's, 0 without an answer; `body` is its JSON, if it may be passed."""

    error: GatewayError
    status: int = 0
    body: bytes | None = field(default=None, repr=False)


Outcome = Done | Skipped | Failed
