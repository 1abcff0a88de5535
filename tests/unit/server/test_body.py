import asyncio
from typing import Any

import pytest

from proxy.errors import GatewayError
from proxy.message import BodyStream, Request, Response
from proxy.server.body import SMALL

CLOSE = b"Connection: close\r\n"


def opening(served: Any, limit: int = 1_000_000) -> list[Any]:
    """Have the body opened: what it turned out to be, its bytes or its error."""
    told: list[Any] = []

    async def serve(request: Request) -> Response:
        assert request.open_body is not None
        try:
            body = await request.open_body(limit)
            if isinstance(body, BodyStream):
                told.append(body.length)
                body = b"".join([piece async for piece in body])
            told.append(body)
        except GatewayError as error:
            told.append(error.code)
        return Response(200)

    served.serve = serve
    return told


def post(framing: bytes, body: bytes, *headers: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n" + b"".join(headers) + CLOSE + b"\r\n" + body


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "request_,told",
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n", [b""]),
        (post(b"Content-Length: 2", b"ab"), [b"ab"]),
        (post(b"Content-Length: %d" % (SMALL + 1), b"x" * (SMALL + 1)), [SMALL + 1, b"x" * (SMALL + 1)]),
        (post(CHUNKED, chunked(b"a", b"bc")), [None, b"abc"]),
        (post(CHUNKED, chunked()), [None, b""]),
    ],
)
async def test_small_bodies_are_whole_and_others_come_in_pieces(request_: bytes, told: list[Any], served: Any) -> None:
    got = opening(served)
    await served.talk(request_)
    assert got == told


@pytest.mark.parametrize(
    "request_,told",
    [
        (post(b"Content-Length: 200000", b""), ["body_too_large"]),
        (post(CHUNKED, chunked(b"x" * 100_001)), ["body_too_large"]),
        (post(b"Content-Length: 90000", b"", b"Expect: tea\r\n"), ["expectation_failed"]),
    ],
)
async def test_what_is_already_known_to_be_wrong_is_not_opened(request_: bytes, told: list[Any], served: Any) -> None:
    got = opening(served, 100_000)
    await served.talk(request_)
    assert got == told


async def test_a_limit_holds_for_what_comes_later(served: Any) -> None:
    told = opening(served, 10)
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(post(CHUNKED, chunked(b"12345", end=b"")))
    while not told:
        await asyncio.wait([asyncio.get_running_loop().create_task(asyncio.sleep(0))])
    writer.write(chunked(b"123456", end=b""))
    await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert told == [None, "body_too_large"]


async def test_framing_that_breaks_is_told_when_it_is_read(served: Any) -> None:
    told = opening(served)
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(post(CHUNKED, chunked(b"12345", end=b"")))
    while not told:
        await asyncio.wait([asyncio.get_running_loop().create_task(asyncio.sleep(0))])
    writer.write(b"zz\r\n")
    await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert told == [None, "bad_request"]


async def test_a_pause_has_a_time(served: Any) -> None:
    served.body_s = 0.02
    told = opening(served)
    await served.talk(post(b"Content-Length: 90000", b"ab"))
    assert told == [90000, "request_timeout"]


async def test_a_waiting_client_is_asked_when_the_first_piece_is_read(served: Any) -> None:
    told = opening(served)
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(post(CHUNKED, b"", b"Expect: 100-continue\r\n"))
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(chunked(b"ab"))
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200")
    writer.close()
    assert told == [None, b"ab"]


async def test_a_body_that_was_read_can_be_opened_afterwards(served: Any) -> None:
    async def serve(request: Request) -> Response:
        read = await request.read_body(10)
        assert request.open_body is not None
        opened = await request.open_body(10)
        assert isinstance(opened, bytes)
        return Response(200, body=read + opened)

    served.serve = serve
    assert (await served.talk(post(CHUNKED, chunked(b"ab")))).endswith(b"\r\n\r\nabab")


async def test_who_still_reads_when_the_answer_is_there_is_waited_for(served: Any, caplog: Any) -> None:
    readers: list[asyncio.Task[bytes]] = []

    async def serve(request: Request) -> Response:
        assert request.open_body is not None
        body = await request.open_body(1_000_000)
        assert isinstance(body, BodyStream)
        reading = asyncio.get_running_loop().create_task(body.read())
        readers.append(reading)
        await asyncio.sleep(0)
        reading.cancel()
        return Response(413, close=True)

    served.serve = serve
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n" + CHUNKED + b"\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 413")
    writer.write(chunked(b"rest"))
    await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert readers[0].cancelled()
    assert caplog.records == []
