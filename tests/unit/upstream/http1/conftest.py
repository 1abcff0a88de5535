"""A connection without a socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.message import BodyStream
from proxy.upstream.exchange import UpstreamRequest
from proxy.upstream.http1.connection import Connection
from proxy.upstream.http1.heads import Heads
from proxy.upstream.http1.streamed import Streamed


class Transport(asyncio.Transport):
    """Takes what is written and remembers what was asked of it. Who sets `unwritten` makes it full."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False
        self.reading = True
        self.unwritten = 0
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unwritten

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def abort(self) -> None:
        self.aborted = True


class Pieces(BodyStream):
    """A body of given pieces; an exception among them is raised."""

    def __init__(self, *pieces: bytes | Exception, length: int | None = None) -> None:
        self.pieces = list(pieces)
        self.length = length

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece


class Never(BodyStream):
    """A body of one piece whose rest never comes."""

    length = None

    def __init__(self) -> None:
        self.first = b"first"

    async def read(self) -> bytes:
        first, self.first = self.first, b""
        if not first:
            await asyncio.Event().wait()
        return first


class Stream:
    """One exchange whose answer is streamed."""

    def __init__(self, method: str = "GET", **asked: Any) -> None:
        self.released: list[bool] = []
        self.connection = Connection(1.0, 2.0, lambda _, reusable: self.released.append(reusable), Heads(), 0.0)
        self.transport = Transport()
        self.connection.connection_made(self.transport)
        request = UpstreamRequest(method=method, target="/", headers=CIMultiDict(), body=None, max_body=0, **asked)
        self.answer = Streamed(self.connection, request)
        self.answer.send(b"HEAD", request)

    def hear(self, *chunks: bytes, ends: bool = False) -> "Stream":
        for chunk in chunks:
            if not self.connection.closed:
                (self.transport.protocol or self.connection).data_received(chunk)
        if ends:
            self.connection.connection_lost(None)
        return self

    async def rest(self) -> bytes:
        """What has come and comes, to the end."""
        return b"".join([piece async for piece in self.answer])


@pytest.fixture
def stream() -> Callable[..., Stream]:
    return Stream


@pytest.fixture
def pieces() -> Callable[..., Pieces]:
    return Pieces


@pytest.fixture
def never() -> Callable[..., Never]:
    return Never
