"""One connection to an upstream: one request at a time, whose answer goes to a receiver.

The parser (llhttp) is strict: both Content-Length and Transfer-Encoding, repeated lengths, bare line feeds, folded
headers and control characters are errors. After any error, and whenever the framing of an answer leaves doubt, the
connection is closed and never used again (RFC 9112 §6.3, §9.6).

Law: a receiver hears of its end only after the parser has been left. What it does then, such as sending the next
request on this connection, can so never meet bytes that belong to the last.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from proxy.errors import GatewayError, UpstreamInvalid, UpstreamTimeout, UpstreamUnreachable
from proxy.upstream.exchange import Head, RawHeaders
from proxy.upstream.http1.heads import Heads
from proxy.upstream.http1.receiver import Receiver

MAX_HEAD = 64 * 1024
MAX_FIELDS = 256
_NO_BODY = frozenset({204, 304})


class Unanswered(UpstreamUnreachable):
    """The connection ended before any byte of an answer: if it was kept from before, the request may be sent again."""

    unsent = False  # nobody knows


class Connection(asyncio.Protocol):
    """`released` is called once an exchange has ended: with True if the connection may be used again."""

    __slots__ = (
        "_complete",
        "_fields_size",
        "_first_byte_s",
        "_head",
        "_head_size",
        "_headers",
        "_heads",
        "_idle_s",
        "_in_head",
        "_last",
        "_left",
        "_limits",
        "_loop",
        "_parser",
        "_paused",
        "_reading",
        "_receiver",
        "_released",
        "_sending",
        "_spoiled",
        "_timer",
        "_until_close",
        "_unwritten",
        "_writable",
        "born",
        "closed",
        "idle_since",
        "transport",
        "used",
    )

    def __init__(
        self,
        first_byte_s: float,
        idle_s: float,
        released: "Callable[[Connection, bool], None]",
        heads: Heads,
        now: float,
    ) -> None:
        self._heads = heads
        self._loop = asyncio.get_running_loop()
        self._limits = first_byte_s, idle_s
        self._first_byte_s, self._idle_s = self._limits
        self._released = released
        self._receiver: Receiver | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parser: Any = None
        self._head: tuple[Head, int] | None = None  # of an answer with a declared length
        self._headers: RawHeaders = []
        self._reading = self._until_close = self._complete = self._spoiled = False
        self._sending = self._paused = False
        self._writable: asyncio.Future[None] | None = None  # while the transport takes no more
        self._unwritten = 0
        self._in_head = True
        self._head_size = self._fields_size = 0
        self._last = 0.0
        self._left = 0  # of a body of known length
        self.transport: asyncio.Transport | None = None
        self.born = now
        self.idle_since = now
        self.used = 0
        self.closed = False

    # Of the pool.

    def send(
        self, data: bytes, receiver: Receiver, *, more: bool = False, limits: tuple[float, float] | None = None
    ) -> None:
        """Write a request; `receiver` gets its answer. One at a time. `more`: its body follows, see below.

        `limits` are the seconds until the first byte and between two, where they are not those of the connection.
        """
        assert self.transport is not None
        assert self._receiver is None
        self._receiver = receiver
        self._reading = False
        self._sending = more
        self.used += 1
        self._last = now = self._loop.time()
        wanted = limits or self._limits
        if wanted != (self._first_byte_s, self._idle_s):
            self._first_byte_s, self._idle_s = wanted
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if self._timer is None:  # it lives on from one exchange to the next: making one costs more than looking again
            self._timer = self._loop.call_at(now + min(self._first_byte_s, self._idle_s), self._look)
        self.transport.write(data)

    def cancel(self, receiver: Receiver) -> None:
        """End an exchange that nobody waits for any more, if it is still under way: the connection is closed."""
        if self._receiver is receiver:
            self._receiver = None
            self.close()
            self._released(self, False)

    def close(self) -> None:
        """Close at once; an exchange under way ends without an answer."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._receiver = None
        if self.transport is not None:
            self.transport.abort()

    # Of who sends a body that follows.

    async def write(self, data: bytes) -> None:
        """Write a piece of the request, then wait until the transport wants more. Raises `ConnectionError`."""
        if self.closed or self.transport is None:
            raise ConnectionResetError("the connection is closed")
        self.transport.write(data)
        while (writable := self._writable) is not None:
            await asyncio.shield(writable)

    def sent(self) -> None:
        """The request is whole: from now on the upstream's time to answer counts."""
        self._sending = False
        self._last = self._loop.time()

    def stop_sending(self) -> None:
        """The rest of the request will not be sent, so there can be no other after it (RFC 9112 §9.3)."""
        if self._sending:
            self.sent()
            self._spoiled = True

    # Of who takes an answer piece by piece.

    def pause(self) -> None:
        """Let the upstream wait; its time does not count."""
        if not self._paused and not self.closed and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if self._paused:
            self._paused = False
            self._last = self._loop.time()
            if not self.closed and self.transport is not None:
                self.transport.resume_reading()

    # Of the transport.

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()
        self._unwritten = self.transport.get_write_buffer_size() if self.transport is not None else 0
        self._last = self._loop.time()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            self._retire()  # nobody asked: whatever this answers, it must not meet the next request
            return
        if not self._reading:
            # Most answers are one read, under a head that was there before.
            quick = not receiver.is_head and not self._sending
            if quick and (found := self._heads.find(data)) is not None:
                self._end(True)
                receiver.arrived(*found)
                return
            self._begin_reading()
        self._last = self._loop.time()
        if self._left > 0:
            self._receive_plain(receiver, data)
            return
        if self._in_head:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            if self._complete:
                self._spoiled = True
            else:
                self._switch(receiver, data[upgrade.args[0] :])
        except HttpParserError as error:
            if self._complete:
                self._spoiled = True  # what came after the answer
            else:
                self._fail(_refusal(error))
        else:
            # One that does not end has no fields to count yet.
            if self._in_head and self._head_size > 2 * MAX_HEAD:
                self._fail(UpstreamInvalid("the head of the upstream's answer is too large"))
        if self._complete:
            if self._head is not None and not self._spoiled:
                self._heads.learn(data, *self._head)
            self._finish()

    def _receive_plain(self, receiver: Receiver, data: bytes) -> None:
        """The rest of a body of known length: there is nothing in it to be parsed, and parsing would copy it."""
        self._parser = None  # it has not seen the body and knows no end of it
        if len(data) > self._left:
            data = data[: self._left]
            self._spoiled = True  # more bytes than the answer has
        self._left -= len(data)
        try:
            receiver.received(data)
        except GatewayError as error:
            self._fail(error)
            return
        if self._left == 0 and self._receiver is receiver:
            self._complete = True
            self._finish()

    def _begin_reading(self) -> None:
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        self._reading = self._in_head = True
        self._until_close = self._complete = False
        self._head_size = self._fields_size = self._left = 0
        self._headers = []
        self._head = None

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self.resume_writing()
        if self._receiver is None:
            self.close()
            self._released(self, False)
        elif self._until_close and error is None:
            self._complete = self._spoiled = True
            self._finish()
        elif self._reading:
            self._fail(UpstreamInvalid("the upstream's answer ended early", internal=repr(error)))
        else:
            self._fail(Unanswered("the upstream closed the connection without an answer", internal=repr(error)))

    # Of the parser.

    def on_message_begin(self) -> None:
        if self._complete or not self._in_head:
            self._spoiled = True  # more bytes than the answer has

    def on_header(self, name: bytes, value: bytes) -> None:
        if value[-1:] <= b" ":
            value = value.rstrip(b" \t")  # no part of it (RFC 9112 §5.1), but the parser leaves it
        if self._in_head:
            self._fields_size += len(name) + len(value) + 4
            if len(self._headers) >= MAX_FIELDS or self._fields_size > MAX_HEAD:
                raise UpstreamInvalid("the head of the upstream's answer is too large")
            self._headers.append((name, value))
        elif self._receiver is not None and not self._complete:
            self._fields_size += len(name) + len(value) + 4
            if self._fields_size > MAX_HEAD:
                raise UpstreamInvalid("the trailers of the upstream's answer are too large")
            if (trailers := self._receiver.raw_trailers) is not None:
                trailers.append((name, value))

    def on_headers_complete(self) -> None:
        receiver = self._receiver
        if receiver is None or self._complete:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._interim(receiver, status)
            return
        self._in_head = False
        if not 200 <= status <= 599:
            raise UpstreamInvalid(f"the upstream answered with status {status}, which was not asked for")
        length, chunked = _framing(self._headers)
        head = Head(status, self._headers)
        receiver.headed(head, length)
        if receiver.is_head:
            self._completed()
        elif length >= 0 and status not in _NO_BODY:
            self._head = head, length
            self._left = length
            if not self._parser.should_keep_alive():
                self._spoiled = True
        else:
            self._until_close = length < 0 and not chunked and status not in _NO_BODY

    def _interim(self, receiver: Receiver, status: int) -> None:
        """An answer before the answer (RFC 9110 §15.2), or another protocol, which goes on in `_switch`."""
        if status == 101:
            if receiver.switched is None or not self._parser.should_upgrade():
                raise UpstreamInvalid("the upstream changed the protocol, which was not asked for")
            receiver.headed(Head(status, self._headers), -1)
        elif status == 103 and receiver.informed is not None:
            receiver.informed(status, self._headers)

    def on_body(self, data: bytes) -> None:
        if self._complete:
            self._spoiled = True
        elif self._receiver is not None:
            self._left -= len(data)
            self._receiver.received(data)

    def on_message_complete(self) -> None:
        if self._in_head:
            self._headers = []  # of an interim answer
        elif not self._until_close and not self._complete:
            self._completed()

    def _completed(self) -> None:
        self._complete = True
        if not self._parser.should_keep_alive():  # known only now: the parser forgets it
            self._spoiled = True

    # Ends.

    def _finish(self) -> None:
        """The answer is whole, and the parser has been left."""
        receiver = self._receiver
        assert receiver is not None
        reusable = not (self._spoiled or self._sending or self.closed)
        if receiver.is_head:
            self._parser = None  # it does not know the method and waits for a body that will not come
        self._end(reusable)
        receiver.ended()

    def _fail(self, error: GatewayError) -> None:
        receiver = self._receiver
        self._complete = False
        self._end(False)
        if receiver is not None:
            receiver.failed(error)

    def _end(self, reusable: bool) -> None:
        self._receiver = None
        if self._paused:
            self.resume()
        self.idle_since = self._loop.time()
        if not reusable:
            self.close()
        self._released(self, reusable)

    def _switch(self, receiver: Receiver, rest: bytes) -> None:
        """From here on the bytes are of another protocol (RFC 9110 §7.8), and the connection is the receiver's."""
        assert receiver.switched is not None
        assert self.transport is not None
        self._receiver = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._parser = None
        receiver.switched(self.transport, rest, self._retire)

    def _retire(self) -> None:
        self.close()
        self._released(self, False)

    def _look(self) -> None:
        """The timer: a time-out if nothing has come for as long as is allowed, else another look."""
        self._timer = None
        if self._receiver is None:
            return
        now = self._loop.time()
        if self._waits_for_us():
            self._last = now
        limit = self._idle_s if self._reading or self._sending else self._first_byte_s
        due = self._last + limit
        if due > now:
            # What is waited for may change in between, and with it how long.
            self._timer = self._loop.call_at(min(due, now + min(self._first_byte_s, self._idle_s)), self._look)
            return
        what = "did not begin to answer within {:g} s"
        if self._sending:
            what = "took nothing of the request's body for {:g} s"
        elif self._reading:
            what = "paused for {:g} s within its answer"
        self._fail(UpstreamTimeout(f"the upstream {what.format(limit)}"))

    def _waits_for_us(self) -> bool:
        """Whether it is not the upstream that keeps things waiting: then its time does not count."""
        if self._paused:
            return True
        if not self._sending:
            return False
        if self._writable is None or self.transport is None:
            return True  # the client sends slowly
        before, self._unwritten = self._unwritten, self.transport.get_write_buffer_size()
        return self._unwritten < before


def _refusal(error: HttpParserError) -> GatewayError:
    """What a parser's error means: its own, or that of the callback in which it arose."""
    cause = error.__context__
    if isinstance(cause, GatewayError):
        return cause
    return UpstreamInvalid("the upstream's answer breaks HTTP", internal=str(error))


def _framing(headers: RawHeaders) -> tuple[int, bool]:
    """The declared length (-1 without one), and whether the body is in chunks. The parser has checked both."""
    length, chunked = -1, False
    for name, value in headers:
        if len(name) == 14 and name.lower() == b"content-length":
            length = int(value)
        elif len(name) == 17 and name.lower() == b"transfer-encoding":
            chunked = value.lower().rpartition(b",")[2].strip() == b"chunked"
    return length, chunked
