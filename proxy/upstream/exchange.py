"""One exchange with an upstream, as values: what is sent and what came back."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy

if TYPE_CHECKING:
    import asyncio

RawHeaders = list[tuple[bytes, bytes]]
"""Fields as they came, in order."""


Pairs = list[tuple[str, str]]
"""Fields as text, in order: cheaper than a dictionary where nobody looks one up."""


class UpstreamRequest(Struct, kw_only=True):
    """`target` is path and query in ASCII, ready for the wire; `max_body` bounds the answer's bytes."""

    method: str
    target: str
    headers: Pairs
    body: bytes | None
    max_body: int


class Head:
    """Status and fields of an answer. Immutable, so that equal heads can be one; what is read of it is kept."""

    __slots__ = ("_headers", "_names", "raw_headers", "status")

    def __init__(self, status: int, raw_headers: RawHeaders) -> None:
        self.status = status
        self.raw_headers = raw_headers
        self._headers: CIMultiDictProxy[str] | None = None
        self._names: frozenset[bytes] | None = None

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The fields, names without regard to case. Bytes that are not UTF-8 are kept as lone surrogates."""
        if self._headers is None:
            fields: CIMultiDict[str] = CIMultiDict()
            for name, value in self.raw_headers:
                fields.add(name.decode("ascii"), value.decode("utf-8", "surrogateescape"))
            self._headers = CIMultiDictProxy(fields)
        return self._headers

    def has_any(self, names: frozenset[bytes]) -> bool:
        """Whether it has one of these fields; names in lower case. Cheaper than reading them all."""
        if self._names is None:
            self._names = frozenset([field.lower() for field, _ in self.raw_headers])
        return not names.isdisjoint(self._names)


class UpstreamResponse:
    """A whole answer. Its body is as the upstream encoded it."""

    __slots__ = ("body", "head")

    def __init__(self, head: Head, body: bytes) -> None:
        self.head = head
        self.body = body

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> "UpstreamResponse":
        """An answer that was made here."""
        return cls(Head(status, [(name.encode("ascii"), value.encode()) for name, value in headers.items()]), body)

    def __repr__(self) -> str:
        return f"<UpstreamResponse {self.status}, {len(self.body)} bytes>"

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The fields, names without regard to case."""
        return self.head.headers


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
