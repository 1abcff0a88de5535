"""One exchange with an upstream, as values: what is sent and what came back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from multidict import CIMultiDict, CIMultiDictProxy

if TYPE_CHECKING:
    import asyncio

RawHeaders = list[tuple[bytes, bytes]]
"""Fields as they came, in order."""


@dataclass(slots=True, kw_only=True)
class UpstreamRequest:
    """`target` is path and query in ASCII, ready for the wire; `max_body` bounds the answer's bytes."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes | None
    max_body: int


class UpstreamResponse:
    """A whole answer. Its body is as the upstream encoded it; its headers are read only if somebody asks for them."""

    __slots__ = ("_headers", "_names", "body", "raw_headers", "status")

    def __init__(self, status: int, raw_headers: RawHeaders, body: bytes) -> None:
        self.status = status
        self.raw_headers = raw_headers
        self.body = body
        self._headers: CIMultiDictProxy[str] | None = None
        self._names: frozenset[bytes] | None = None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> "UpstreamResponse":
        """An answer that was made here."""
        return cls(status, [(name.encode("ascii"), value.encode()) for name, value in headers.items()], body)

    def __repr__(self) -> str:
        return f"<UpstreamResponse {self.status}, {len(self.body)} bytes>"

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The fields, names without regard to case. Bytes that are not UTF-8 are kept as lone surrogates."""
        if self._headers is None:
            fields = [
                (name.decode("ascii"), value.decode("utf-8", "surrogateescape")) for name, value in self.raw_headers
            ]
            self._headers = CIMultiDictProxy(CIMultiDict(fields))
        return self._headers

    def has(self, name: bytes) -> bool:
        """Whether there is such a field; `name` in lower case. Cheaper than reading them all."""
        if self._names is None:
            self._names = frozenset([field.lower() for field, _ in self.raw_headers])
        return name in self._names


Done = Callable[[UpstreamResponse | Exception], None]
"""Told once how a request ended: its answer, or why there is none (a `GatewayError`; anything else is a defect)."""

Cancel = Callable[[], "asyncio.Future[Any] | None"]
"""Ends a request that nobody waits for any more. Gives what is then still to be waited for, if anything."""


class Upstream(Protocol):
    """Whatever answers for a named upstream."""

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        """Raises `UpstreamFailed` or one of its kinds; cancelling it closes the connection."""
        ...

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        """The same without waiting: returns what cancels it, after which `done` is not called.

        `done` is called once, later and never from within. Raises what makes the request impossible to send.
        """
        ...
