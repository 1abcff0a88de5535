"""Takes the parts of one answer as they arrive. `Whole` collects them; the connection knows only the protocol."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from proxy.errors import GatewayError, UpstreamTooLarge
from proxy.upstream.exchange import Done, Head, RawHeaders, UpstreamResponse


class Receiver(Protocol):
    """Whoever asked. After `ended`, `failed` or `switched`, of which exactly one is called, nothing more comes.

    What is not wanted is None: `raw_trailers` are filled with the fields after the body, `informed` gets early
    hints (103, RFC 8297), and `switched` takes a connection that goes over to another protocol: the transport, the
    bytes that came with the head, and what is to be called when the connection is lost.
    """

    is_head: bool

    @property
    def raw_trailers(self) -> RawHeaders | None: ...

    @property
    def informed(self) -> Callable[[int, RawHeaders], None] | None: ...

    @property
    def switched(self) -> Callable[[asyncio.Transport, bytes, Callable[[], None]], None] | None: ...

    def headed(self, head: Head, length: int) -> None:
        """The final head is here; `length` is the declared one, -1 without. May raise a `GatewayError` to refuse."""
        ...

    def received(self, data: bytes) -> None:
        """A piece of the body. May raise a `GatewayError` to refuse."""
        ...

    def ended(self) -> None:
        """The answer is whole."""
        ...

    def arrived(self, head: Head, body: bytes) -> None:
        """All of the above at once; a refusal is for the receiver itself to deal with."""
        ...

    def failed(self, error: GatewayError) -> None:
        """There is no answer, or no rest of it."""
        ...


class Whole:
    """Collects a body of at most `max_body` bytes, then calls `done` once, with the answer or the error."""

    raw_trailers = None
    informed = None
    switched = None
    __slots__ = ("_body", "_done", "_head", "_max_body", "_size", "is_head")

    def __init__(self, done: Done, *, is_head: bool, max_body: int) -> None:
        self._done = done
        self.is_head = is_head
        self._max_body = max_body
        self._head: Head | None = None
        self._body: list[bytes] = []
        self._size = 0

    def headed(self, head: Head, length: int) -> None:
        if length > self._max_body and not self.is_head:
            raise UpstreamTooLarge(f"the answer has {length} bytes; at most {self._max_body} are taken")
        self._head = head

    def received(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._max_body:
            raise UpstreamTooLarge(f"the answer is over {self._max_body} bytes")
        self._body.append(data)

    def ended(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        assert self._head is not None
        self._done(UpstreamResponse(self._head, body))

    def arrived(self, head: Head, body: bytes) -> None:
        if len(body) > self._max_body:
            self._done(UpstreamTooLarge(f"the answer has {len(body)} bytes; at most {self._max_body} are taken"))
        else:
            self._done(UpstreamResponse(head, body))

    def failed(self, error: GatewayError) -> None:
        self._done(error)
