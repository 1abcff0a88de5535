"""How a call ended: done, skipped, or failed. A failure may have a fallback, which gives the value."""

from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from proxy.errors import GatewayError
from proxy.message import Headers


class Done(Struct):
    """The upstream answered with success; `value` is what is stored, made of a body of `size` bytes.

    `plain`: its headers say nothing that the answer to the client would have to say too.
    """

    status: int
    headers: Headers
    value: Any
    inner_partial: str | None = None
    size: int = 0
    plain: bool = False


@dataclass(slots=True)
class Skipped:
    """`when` was false; the value is null and nothing failed."""


@dataclass(slots=True)
class Failed:
    """The call failed. `status` is the upstream's, 0 without an answer; `body` is its JSON, if it may be passed."""

    error: GatewayError
    status: int = 0
    body: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class Fanned:
    """A fan-out has ended. `failures` are the elements that failed, each with what was asked for, in order."""

    answers: list[Done]
    failures: list[tuple[Any, Failed]]

    @property
    def inner_partial(self) -> str | None:
        """What inner gateways say was partial in their answers, each name once."""
        names = [name.strip() for done in self.answers if done.inner_partial for name in done.inner_partial.split(",")]
        return ", ".join(dict.fromkeys(names)) or None


Outcome = Done | Skipped | Failed | Fanned


def header_mapping(headers: Headers) -> dict[str, str]:
    """Headers as expressions see them: lower-case names, repeats joined (RFC 9110 §5.3)."""
    mapping: dict[str, str] = {}
    for name, value in headers.items():
        name = name.lower()
        mapping[name] = f"{mapping[name]}, {value}" if name in mapping else value
    return mapping


def describe(outcome: Outcome, ms: float) -> dict[str, Any]:
    """What `calls.<name>` says of a call that has ended."""
    match outcome:
        case Done(status=status, headers=headers):
            return {"status": status, "headers": header_mapping(headers), "ok": True, "error": None, "ms": ms}
        case Failed(error=error, status=status):
            return {"status": status, "headers": {}, "ok": False, "error": error.code, "ms": ms}
        case Fanned(failures=[(_, failed), *_]):
            return {"status": failed.status, "headers": {}, "ok": False, "error": failed.error.code, "ms": ms}
        case Fanned():
            return {"status": 200, "headers": {}, "ok": True, "error": None, "ms": ms}
        case Skipped():
            return {"status": 0, "headers": {}, "ok": False, "error": None, "ms": 0}
