"""One exchange with an upstream, as values: what is sent and what came back."""

from dataclasses import dataclass
from typing import Protocol

from multidict import CIMultiDict, CIMultiDictProxy


@dataclass(slots=True, kw_only=True)
class UpstreamRequest:
    """`target` is path and query in ASCII, ready for the wire; `max_body` bounds the answer's bytes."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes | None
    max_body: int


@dataclass(slots=True)
class UpstreamResponse:
    """A whole answer. Its body is as the upstream encoded it."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class Upstream(Protocol):
    """Whatever answers for a named upstream."""

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        """Raises `UpstreamFailed` or one of its kinds; cancelling it closes the connection."""
        ...
