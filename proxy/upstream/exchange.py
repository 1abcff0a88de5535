"""One exchange with an upstream, as values: what is sent and what came back."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.message import BodyStream, Fields

if TYPE_CHECKING:
    import asyncio

    from proxy.upstream.http1.duplex import Duplex

RawHeaders = list[tuple[bytes, bytes]]
"""Fields as they came, in order."""


Pairs = list[tuple[str, str]]
"""Fields as text, in order: cheaper than a dictionary where nobody looks one up."""


class Limits(Struct, frozen=True):
    """How long an upstream may take to be connected to, to begin its answer, and to pause, in seconds."""

    connect_s: float
    first_byte_s: float
    idle_s: float


class UpstreamRequest(Struct, kw_only=True):
    """`target` is path and query in ASCII, ready for the wire; `max_body` bounds the answer's bytes.

    `key` is what a hash chooses the endpoint by. `deadline` is when (in the loop's time) whoever asks will not wait any
    longer: cancelled after it, the endpoint was too slow; before, somebody went away. `tried` are the endpoints that
    have had it, where it may go to several. `extra` has a word for each time that it was sent besides the first.

    The rest is for `open` alone. `stream` is a body that is sent as it comes, instead of `body`; `sent` is told when
    all of the request has been written; `inform` is given early hints (RFC 8297); `upgrade`: the headers ask for
    another protocol, and 101 is an answer. `limits` stand instead of the upstream's own.
    """

    method: str
    target: str
    headers: Pairs
    body: bytes | None
    max_body: int
    key: str | None = None
    deadline: float | None = None
    tried: list[object] | None = None
    extra: list[str] | None = None
    stream: BodyStream | None = None
    sent: Callable[[], None] | None = None
    inform: Callable[[int, RawHeaders], None] | None = None
    upgrade: bool = False
    limits: "Limits | None" = None


# Fields with a say in what is made of an answer.
_SAYING = frozenset({b"content-encoding", b"set-cookie", b"vary", b"cache-control", b"x-partial"})


class Head:
    """Status and fields of an answer. Immutable, so that equal heads can be one and all is found out once.

    `headers` has names without regard to case; bytes that are not UTF-8 are kept as lone surrogates. `plain`: none of
    the fields has a say in what is made of the answer: no coding, cookie, Vary, Cache-Control or X-Partial.
    """

    __slots__ = ("headers", "plain", "raw_headers", "status")

    def __init__(self, status: int, raw_headers: RawHeaders) -> None:
        self.status = status
        self.raw_headers = raw_headers
        fields: CIMultiDict[str] = CIMultiDict()
        for name, value in raw_headers:
            fields.add(name.decode("ascii"), value.decode("utf-8", "surrogateescape"))
        self.headers: CIMultiDictProxy[str] = CIMultiDictProxy(fields)
        self.plain = _SAYING.isdisjoint([name.lower() for name, _ in raw_headers])


class UpstreamResponse(Struct):
    """A whole answer. Its body is as the upstream encoded it."""

    head: Head
    body: bytes

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The fields, names without regard to case."""
        return self.head.headers

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> "UpstreamResponse":
        """An answer that was made here."""
        return cls(Head(status, [(name.encode("ascii"), value.encode()) for name, value in headers.items()]), body)

    def __repr__(self) -> str:
        return f"<UpstreamResponse {self.status}, {len(self.body)} bytes>"


class StreamedResponse(BodyStream):
    """An answer whose body comes in pieces. `whole` is the body if all of it is here and no trailers follow it."""

    __slots__ = ("head", "length")

    def __init__(self, head: Head) -> None:
        self.head = head

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The fields, names without regard to case."""
        return self.head.headers

    @property
    def whole(self) -> bytes | None:
        raise NotImplementedError

    def when_over(self, work: Callable[[], None]) -> None:
        """Do something once, when nothing more of this exchange is to come; now, if it is over."""
        work()

    @property
    def duplex(self) -> "Duplex | None":
        """The connection itself, after 101."""
        return None


class Arrived(StreamedResponse):
    """An answer that is here already, as one that is streamed."""

    __slots__ = ("_body", "_trailers")

    def __init__(self, answer: UpstreamResponse, trailers: Fields | None = None) -> None:
        super().__init__(answer.head)
        self.length = len(answer.body)
        self._body = answer.body
        self._trailers = trailers or []

    @property
    def whole(self) -> bytes | None:
        return None if self._trailers else self._body

    @property
    def trailers(self) -> Fields:
        return self._trailers

    async def read(self) -> bytes:
        body, self._body = self._body, b""
        return body


Done = Callable[[UpstreamResponse | Exception], None]
"""Told once how a request ended: its answer, or why there is none (a `GatewayError`; anything else is a defect)."""

Cancel = Callable[[], "asyncio.Future[Any] | None"]
"""Ends a request that nobody waits for any more. Gives what is then still to be waited for, if anything."""


Begin = Callable[[UpstreamRequest, Done], Cancel]
"""`Upstream.begin`, or something around it."""


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


class Opening(Protocol):
    """What answers piece by piece."""

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        """Send a request and wait for the head of its answer.

        Raises `UpstreamFailed` or one of its kinds, or what reading the request's body raised. Cancelling it closes the
        connection. Whoever gets the answer reads it to its end or closes it.
        """
        ...


class Client(Upstream, Opening, Protocol):
    """Both ways of asking."""
