"""Requests and responses as values, and the rules for what may cross a proxy."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from itertools import chain, product
from typing import Any

from msgspec import Struct, field
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict

Headers = CIMultiDict[str] | CIMultiDictProxy[str]
Fields = list[tuple[str, str]]

# RFC 9110 §7.6.1: fields about one connection, never about the message.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
# Meant for this proxy or made by it, so never copied from a client.
NEVER_FORWARDED = HOP_BY_HOP | {"proxy-authorization", "proxy-authenticate", "expect"}


class BodyStream:
    """A body in pieces, read once and in order. `length` is the declared one, None where none is.

    Whoever has it must read it to its end or close it: a connection waits for one of the two.
    """

    __slots__ = ()

    length: int | None

    async def read(self) -> bytes:
        """The next piece, as soon as there is one; empty at the end. Raises a `GatewayError` if the rest is lost."""
        raise NotImplementedError

    def close(self) -> None:
        """Nobody reads on. Closing what has ended, or twice, does nothing."""

    @property
    def trailers(self) -> Fields:
        """The fields after the body (RFC 9110 §6.5), once it has ended."""
        return []

    def __aiter__(self) -> "BodyStream":
        return self

    async def __anext__(self) -> bytes:
        piece = await self.read()
        if not piece:
            raise StopAsyncIteration
        return piece


class CallRecord(Struct):
    """What one call did, for the access log: a status (0 if there was none), milliseconds, an error code.

    `started_ms` counts from the request's own beginning. `requests` is how many requests it took: a fan-out makes
    several, and its status and error are the last bad ones.
    """

    name: str
    status: int
    ms: float
    error: str | None = None
    requests: int = 1
    started_ms: float = 0.0


class Way(Struct, frozen=True):
    """How a request came to a trusted proxy: `chain` is the client's address, then those of the proxies, our peer last.

    `scheme`, `host` and `port` are what the client asked the first of them for; empty where nothing usable is said.
    """

    chain: tuple[str, ...]
    scheme: str = ""
    host: str = ""
    port: str = ""


class Request(Struct, kw_only=True):
    """One client request, as every layer sees it.

    `raw_target` is the target as it came; dispatch makes `path` (normalised, still percent-encoded: matching and
    forwarding use this same form) and `query` (raw, without its question mark) of it, and sets the route, its
    parameters and its `max_body`. `read_body` gives the whole body within that limit. `open_body` is for who can send
    it on piece by piece; None where there is only the whole. `inform` sends the client an interim answer (1xx).
    `can_switch`: the client's connection could go over to another protocol. `way` is None unless the peer is trusted.
    `claims` is what is known of who asks, of a route with `auth`; `told` are fields for its answer, whatever that is.
    `cert` is the client's certificate (server/clientcert), where it has one and the listener asks for it.
    """

    method: str
    raw_target: str
    headers: CIMultiDictProxy[str]
    read_body: Callable[[int], Awaitable[bytes]]
    id: str
    client_ip: str
    client_port: int
    scheme: str
    host: str
    received_at: float
    path: str = ""
    query: str = ""
    has_query: bool = False
    route: str | None = None
    generation: int = 0
    max_body: int = 0
    params: dict[str, Any] = {}
    calls: list[CallRecord] = []
    open_body: Callable[[int], Awaitable[bytes | BodyStream]] | None = None
    inform: Callable[[int, Headers], None] | None = None
    can_switch: bool = False
    way: Way | None = None
    claims: Mapping[str, Any] | None = None
    told: Fields | None = None
    cert: Mapping[str, Any] | None = None


class Response(Struct):
    """One answer to a client. Framing headers are written by the server, not here.

    With a `stream` its body is still to come, `body` is empty, and whoever takes the response must `end` it.
    `chunked`: the length of `body` was not declared where it came from, and is not declared to the client.
    `received`: the bytes that came from the client after 101.
    """

    status: int
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: bytes = b""
    partial: tuple[str, ...] = ()
    faults: int = 0
    misses: int = 0
    error: str | None = None
    close: bool = False
    chunked: bool = False
    stream: BodyStream | None = None
    sent: int = 0
    received: int = 0
    _endings: list[Callable[[], None]] | None = None

    @property
    def size(self) -> int:
        """The bytes of the body; of a streamed one those that have been sent so far."""
        return len(self.body) if self.stream is None else self.sent

    def at_end(self, work: Callable[[], None]) -> None:
        """Do something when the body has been sent or given up; at once if it is all here."""
        if self.stream is None:
            work()
        elif self._endings is None:
            self._endings = [work]
        else:
            self._endings.append(work)

    def end(self) -> None:
        """The stream is over, one way or the other: let go of what was held for it, first what was first said."""
        if self.stream is not None:
            self.stream.close()
        endings, self._endings = self._endings, None
        for work in endings or ():
            work()


def connection_options(headers: Headers) -> frozenset[str]:
    """The lower-case field names that `Connection` nominates as hop-by-hop."""
    return frozenset(
        name
        for value in headers.getall("Connection", ())
        for part in value.split(",")
        if (name := part.strip().lower())
    )


@cache
def _stopped(drop: tuple[str, ...] | frozenset[str]) -> frozenset[str]:
    return NEVER_FORWARDED | frozenset(drop)


def end_to_end(headers: Headers, *, drop: tuple[str, ...] | frozenset[str] = ()) -> CIMultiDict[str]:
    """The headers that cross a proxy, in order and with repeats; those in `drop` (lower case) are left out."""
    stopped = _stopped(drop)
    if "Connection" in headers:
        stopped |= connection_options(headers)
    return CIMultiDict([(name, value) for name, value in headers.items() if name.lower() not in stopped])


# RFC 9110 §6.5.1: what frames, routes, authorises or describes a message has no meaning after it, and is harmful to
# those who take it for a header.
_NO_TRAILER = NEVER_FORWARDED | {
    "age",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "expires",
    "host",
    "location",
    "range",
    "retry-after",
    "set-cookie",
    "vary",
}


def may_trail(name: str) -> bool:
    """Whether a field may follow a body across this proxy."""
    return name.lower() not in _NO_TRAILER


def spellings(names: Iterable[str]) -> frozenset[str]:
    """Names and their other spellings with `_` for `-`: CGI and WSGI give a program X-User and X_User under one name.

    So a client could write what we write, or take away (RFC 3875 §4.1.18).
    """
    found: set[str] = set()
    for name in names:
        parts = re.split("[-_]", name.lower())
        if len(parts) > _PARTS:
            found |= {"-".join(parts), "_".join(parts), name.lower()}
        else:
            ways = product("-_", repeat=len(parts) - 1)
            found |= {"".join(chain.from_iterable(zip(parts, (*way, ""), strict=True))) for way in ways}
    return frozenset(found)


# Of a longer name not every mixture is looked for.
_PARTS = 5


def is_token(name: str) -> bool:
    """Whether `name` can be a field name or a method (RFC 9110 §5.6.2)."""
    return bool(name) and all(char in _TOKEN for char in name)


_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def is_field_value(text: str) -> bool:
    """Whether text can stand in a header (RFC 9110 §5.5): no control characters but tab."""
    return all(char >= " " or char == "\t" for char in text) and "\x7f" not in text


def query_values(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The first value of each name, and all values of each name, from decoded pairs."""
    every: MultiDict[str] = MultiDict(pairs)
    first = {name: every[name] for name in every}
    return first, {name: every.getall(name) for name in every}
