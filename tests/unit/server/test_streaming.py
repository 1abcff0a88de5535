import asyncio
import socket
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import UpstreamInvalid
from proxy.message import BodyStream, Request, Response

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_AND_CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Pieces(BodyStream):
    """Pieces that come when the test lets them, or at once; an exception among them is raised."""

    def __init__(self, *pieces: bytes | Exception, length: int | None = None, trailers: Any = ()) -> None:
        self.queue: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        for piece in pieces:
            self.queue.put_nowait(piece)
        self.length = length
        self.closed = asyncio.Event()
        self._trailers = list(trailers)

    @property
    def trailers(self) -> list[tuple[str, str]]:
        return self._trailers

    async def read(self) -> bytes:
        piece = await self.queue.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closed.set()


def answering(served: Any, body: BodyStream, **more: Any) -> list[Response]:
    given: list[Response] = []

    async def serve(request: Request) -> Response:
        given.append(Response(200, CIMultiDict({"Trailer": "X-Sum"}), stream=body, **more))
        return given[0]

    served.serve = serve
    return given


async def test_an_answer_of_unknown_length_goes_in_chunks(served: Any) -> None:
    given = answering(served, Pieces(b"ab", b"c", b""))
    answer = await served.talk(GET_AND_CLOSE)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Type" not in head
    assert body == b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert (given[0].sent, given[0].error) == (3, None)


async def test_an_answer_of_known_length_keeps_it(served: Any) -> None:
    body = Pieces(b"ab", b"c", b"", length=3)
    answering(served, body)
    head, _, data = (await served.talk(GET_AND_CLOSE)).partition(b"\r\n\r\n")
    assert b"Content-Length: 3" in head
    assert b"Transfer-Encoding" not in head
    assert b"Trailer" not in head
    assert data == b"abc"
    assert body.closed.is_set()


async def test_a_client_of_http_1_0_gets_an_answer_that_ends_with_the_connection(served: Any) -> None:
    answering(served, Pieces(b"ab", b"c", b"", trailers=[("X-Sum", "1")]))
    answer = await served.talk(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert b"Trailer" not in head
    assert body == b"abc"


async def test_each_piece_is_sent_when_it_is_there(served: Any) -> None:
    body = Pieces()
    answering(served, body)
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(GET)
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)  # the head does not wait for a body
    for piece in (b"one", b"two"):
        body.queue.put_nowait(piece)
        assert await asyncio.wait_for(reader.readuntil(piece + b"\r\n"), 5) == b"3\r\n" + piece + b"\r\n"
    writer.close()


async def test_trailers_follow_the_last_chunk(served: Any) -> None:
    trailers = [("X-Sum", "1"), ("Content-Length", "5"), ("X-B", "\udcff")]
    answering(served, Pieces(b"ab", b"", trailers=trailers))
    answer = await served.talk(GET_AND_CLOSE)
    assert b"Trailer: X-Sum\r\n" in answer
    assert answer.endswith(b"2\r\nab\r\n0\r\nX-Sum: 1\r\nX-B: \xff\r\n\r\n")


@pytest.mark.parametrize("length", [None, 10])
async def test_an_answer_that_breaks_off_does_not_look_whole(length: int | None, served: Any) -> None:
    body = Pieces(b"ab", UpstreamInvalid("broken"), length=length)
    given = answering(served, body)
    data = (await served.talk(GET)).partition(b"\r\n\r\n")[2]
    assert data == (b"2\r\nab\r\n" if length is None else b"ab")
    assert given[0].error == "upstream_invalid"
    assert body.closed.is_set()


async def test_where_closing_would_be_the_end_the_connection_is_reset(served: Any) -> None:
    body = Pieces()
    answering(served, body)
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    body.queue.put_nowait(UpstreamInvalid("broken"))
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_a_client_that_goes_away_closes_the_stream(served: Any) -> None:
    body = Pieces(b"ab")
    given = answering(served, body)
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(GET)
    await asyncio.wait_for(reader.readuntil(b"ab\r\n"), 5)
    writer.close()
    await asyncio.wait_for(body.closed.wait(), 5)
    await asyncio.wait_for(served.adapter.wait_idle(), 5)
    assert given[0].error == "client_gone"


class Endless(BodyStream):
    length = None

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        return b"x" * 65536

    def close(self) -> None:
        self.closed.set()


async def test_a_client_that_takes_nothing_is_broken_off(served: Any) -> None:
    served.adapter._send_s = lambda: 0.05
    body = Endless()
    given = answering(served, body)
    with socket.create_connection(served.address) as client:
        client.setblocking(False)
        client.send(GET)
        await asyncio.wait_for(body.closed.wait(), 10)
    await asyncio.wait_for(served.adapter.wait_idle(), 5)
    assert given[0].error == "client_stalled"
    assert 0 < given[0].sent < 64 * 1024 * 1024


async def test_a_client_that_takes_little_is_waited_for(served: Any) -> None:
    served.adapter._send_s = lambda: 0.05
    body = Endless()
    given = answering(served, body)
    reader, writer = await asyncio.open_connection(*served.address, limit=65536)
    writer.write(GET)
    for _ in range(200):
        await asyncio.wait_for(reader.readexactly(65536), 5)
    writer.close()
    await asyncio.wait_for(body.closed.wait(), 5)
    await asyncio.wait_for(served.adapter.wait_idle(), 5)
    assert given[0].error == "client_gone"


async def test_a_streamed_answer_is_under_way_until_it_has_ended(served: Any) -> None:
    body = Pieces(b"ab")
    answering(served, body)
    talking = asyncio.get_running_loop().create_task(served.talk(GET))
    while not served.requests:
        await asyncio.wait([asyncio.get_running_loop().create_task(asyncio.sleep(0))])
    closing = asyncio.get_running_loop().create_task(served.listener.close(5))
    await asyncio.sleep(0)
    assert served.adapter.in_flight == 1
    body.queue.put_nowait(b"last")
    body.queue.put_nowait(b"")
    assert await closing
    assert (await talking).endswith(b"4\r\nlast\r\n0\r\n\r\n")


@pytest.mark.parametrize("streamed", [True, False])
async def test_bytes_of_a_header_go_as_they_came(streamed: bool, served: Any) -> None:
    async def serve(request: Request) -> Response:
        headers = CIMultiDict([("X-A", "a\udcffb"), ("X-B", "é"), ("X-B", "c")])
        return Response(200, headers, stream=Pieces(b"ok", b"")) if streamed else Response(200, headers, b"ok")

    served.serve = serve
    answer = await served.talk(GET_AND_CLOSE)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nX-A: a\xffb\r\nX-B: \xc3\xa9\r\nX-B: c\r\n")
    assert answer.endswith(b"\r\n\r\n2\r\nok\r\n0\r\n\r\n" if streamed else b"\r\n\r\nok")


async def test_a_header_that_would_break_the_framing_is_not_written(served: Any, caplog: Any) -> None:
    async def serve(request: Request) -> Response:
        return Response(200, CIMultiDict({"X-A": "é\r\nX-Evil: 1"}), b"ok")

    served.serve = serve
    assert b"X-Evil" not in await served.talk(GET_AND_CLOSE)
