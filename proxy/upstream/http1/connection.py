"""One connection to an upstream: one request at a time, its answer as a future.

The parser (llhttp) is strict: both Content-Length and Transfer-Encoding, repeated lengths, bare line feeds, folded
headers and control characters are errors. After any error, and whenever the framing of an answer leaves doubt, the
connection is closed and never used again (RFC 9112 §6.3, §9.6).
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.errors import GatewayError, UpstreamInvalid, UpstreamTimeout, UpstreamTooLarge, UpstreamUnreachable
from proxy.upstream.exchange import UpstreamResponse

MAX_HEAD = 64 * 1024
MAX_FIELDS = 256
_NO_BODY = frozenset({204, 304})


class Exchange:
    """A request under way: what was promised to whom, and what has come of the answer."""

    __slots__ = ("body", "future", "headers", "is_head", "max_body", "size", "status")

    def __init__(self, future: "asyncio.Future[UpstreamResponse]", is_head: bool, max_body: int) -> None:
        self.future = future
        self.is_head = is_head
        self.max_body = max_body
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body: list[bytes] = []
        self.size = 0


class Connection(asyncio.Protocol):
    """`released` is called once an exchange has ended: with True if the connection may be used again."""

    __slots__ = (
        "_exchange",
        "_fields_size",
        "_first_byte_s",
        "_head_size",
        "_idle_s",
        "_in_head",
        "_last",
        "_loop",
        "_parser",
        "_reading",
        "_released",
        "_timer",
        "_until_close",
        "born",
        "closed",
        "idle_since",
        "transport",
        "used",
    )

    def __init__(
        self, first_byte_s: float, idle_s: float, released: "Callable[[Connection, bool], None]", now: float
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._first_byte_s = first_byte_s
        self._idle_s = idle_s
        self._released = released
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parser: Any = None
        self._reading = False
        self._in_head = True
        self._until_close = False
        self._head_size = self._fields_size = 0
        self._last = 0.0
        self.transport: asyncio.Transport | None = None
        self.born = now
        self.idle_since = now
        self.used = 0
        self.closed = False

    # Of the pool.

    def send(self, data: bytes, future: "asyncio.Future[UpstreamResponse]", *, is_head: bool, max_body: int) -> None:
        """Write a request; `future` gets its answer or the `GatewayError` that ended it. One at a time."""
        assert self.transport is not None
        assert self._exchange is None
        self._exchange = Exchange(future, is_head, max_body)
        self._parser = HttpResponseParser(self)
        self._reading = self._until_close = False
        self._in_head = True
        self._head_size = self._fields_size = 0
        self.used += 1
        self._last = self._loop.time()
        self._timer = self._loop.call_at(self._last + self._first_byte_s, self._look)
        self.transport.write(data)

    def close(self) -> None:
        """Close at once; an exchange under way ends without an answer."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._exchange = None
        if self.transport is not None:
            self.transport.abort()

    # Of the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self._retire()  # nobody asked: whatever this answers, it must not meet the next request
            return
        self._reading = True
        self._last = self._loop.time()
        if self._in_head:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._fail(UpstreamInvalid("the upstream changed the protocol, which was not asked for"))
        except HttpParserError as error:
            cause = error.__context__
            refused = (
                cause
                if isinstance(cause, GatewayError)
                else UpstreamInvalid("the upstream's answer breaks HTTP", internal=str(error))
            )
            self._fail(refused)
        else:
            # One that does not end has no fields to count yet.
            if self._in_head and self._head_size > 2 * MAX_HEAD and self._exchange is exchange:
                self._fail(UpstreamInvalid("the head of the upstream's answer is too large"))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        exchange = self._exchange
        if exchange is None:
            self._released(self, False)
        elif self._until_close and error is None:
            self._succeed(exchange, reusable=False)
        elif self._reading:
            self._fail(UpstreamInvalid("the upstream's answer ended early", internal=repr(error)))
        else:
            self._fail(Unanswered("the upstream closed the connection without an answer", internal=repr(error)))

    # Of the parser.

    def on_message_begin(self) -> None:
        exchange = self._exchange
        if exchange is None or exchange.status:
            self.close()  # more bytes than the answer has

    def on_header(self, name: bytes, value: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and self._in_head:
            self._fields_size += len(name) + len(value) + 4
            if len(exchange.headers) >= MAX_FIELDS or self._fields_size > MAX_HEAD:
                raise UpstreamInvalid("the head of the upstream's answer is too large")
            exchange.headers.append((name.decode("ascii"), value.decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            return  # an interim answer (RFC 9110 §15.2); 101 ends in HttpParserUpgrade
        self._in_head = False
        exchange.status = status
        if not 200 <= status <= 599:
            raise UpstreamInvalid(f"the upstream answered with status {status}, which was not asked for")
        if exchange.is_head:
            # The parser does not know the method and waits for a body that will not come.
            self._succeed(exchange, reusable=self._parser.should_keep_alive())
            return
        length, chunked = _framing(exchange.headers)
        if length > exchange.max_body:
            raise UpstreamTooLarge(f"the answer has {length} bytes; at most {exchange.max_body} are taken")
        self._until_close = length < 0 and not chunked and status not in _NO_BODY

    def on_body(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.close()
            return
        exchange.size += len(data)
        if exchange.size > exchange.max_body:
            raise UpstreamTooLarge(f"the answer is over {exchange.max_body} bytes")
        exchange.body.append(data)

    def on_message_complete(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if not exchange.status:
            exchange.headers.clear()  # of an interim answer
            return
        if not self._until_close:
            self._succeed(exchange, reusable=self._parser.should_keep_alive())

    # Ends.

    def _succeed(self, exchange: Exchange, *, reusable: bool) -> None:
        body = exchange.body[0] if len(exchange.body) == 1 else b"".join(exchange.body)
        if not exchange.future.done():
            headers = CIMultiDictProxy(CIMultiDict(exchange.headers))
            exchange.future.set_result(UpstreamResponse(exchange.status, headers, body))
        self._end(reusable and not self.closed)

    def _fail(self, error: GatewayError) -> None:
        exchange = self._exchange
        if exchange is not None and not exchange.future.done():
            exchange.future.set_exception(error)
        self._end(False)

    def _end(self, reusable: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        had = self._exchange is not None
        self._exchange = None
        self.idle_since = self._loop.time()
        if not reusable:
            self.close()
        if had:
            self._released(self, reusable)

    def _retire(self) -> None:
        self.close()
        self._released(self, False)

    def _look(self) -> None:
        """The timer: a time-out if nothing has come for as long as is allowed, else another look."""
        limit = self._idle_s if self._reading else self._first_byte_s
        due = self._last + limit
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._look)
            return
        self._timer = None
        what = "paused for {:g} s within its answer" if self._reading else "did not begin to answer within {:g} s"
        self._fail(UpstreamTimeout(f"the upstream {what.format(limit)}"))


class Unanswered(UpstreamUnreachable):
    """The connection ended before any byte of an answer: if it was kept from before, the request may be sent again."""


def _framing(headers: list[tuple[str, str]]) -> tuple[int, bool]:
    """The declared length (-1 without one), and whether the body is in chunks. The parser has checked both."""
    length, chunked = -1, False
    for name, value in headers:
        lowered = name.lower()
        if lowered == "content-length":
            length = int(value)
        elif lowered == "transfer-encoding":
            chunked = value.lower().rpartition(",")[2].strip() == "chunked"
    return length, chunked
