import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from aiohttp.web_request import BaseRequest
from multidict import CIMultiDict

from proxy.server.whole import WholeAnswer

Make = Callable[[], WholeAnswer]


def make(
    status: int = 200,
    headers: dict[str, str] | None = None,
    body: bytes = b"{}",
    length: int | None = None,
    close: bool = False,
) -> Make:
    return lambda: WholeAnswer(status, CIMultiDict(headers or {}), body, length=length, close=close)


@asynccontextmanager
async def answering(answer: Make) -> AsyncIterator[int]:
    async def handle(request: BaseRequest) -> web.StreamResponse:
        return answer()

    async with RawTestServer(handle) as server:
        assert server.port is not None
        yield server.port


async def talk(port: int, request: bytes, answers: int = 1) -> bytes:
    """What is heard until so many answers are there, by their lengths."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    async with asyncio.timeout(10):
        writer.write(request)
        for _ in range(answers):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            none = length is None or request.startswith(b"HEAD")
            heard += head + (b"" if none or length is None else await reader.readexactly(int(length[1])))
    writer.close()
    await writer.wait_closed()
    return heard


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "answer,request_,lines,body",
    [
        (make(headers={"A": "1"}), GET, ["HTTP/1.1 200 OK", "A: 1", "Content-Length: 2"], b"{}"),
        (make(status=404, body=b""), GET, ["HTTP/1.1 404 Not Found", "Content-Length: 0"], b""),
        (make(status=299), GET, ["HTTP/1.1 299 ", "Content-Length: 2"], b"{}"),
        (make(status=204, body=b"x"), GET, ["HTTP/1.1 204 No Content"], b""),
        (make(status=304, body=b""), GET, ["HTTP/1.1 304 Not Modified"], b""),
        (make(), GET.replace(b"GET", b"HEAD"), ["HTTP/1.1 200 OK", "Content-Length: 2"], b""),
        (make(body=b"", length=9), GET.replace(b"GET", b"HEAD"), ["HTTP/1.1 200 OK", "Content-Length: 9"], b""),
        (make(close=True), GET, ["HTTP/1.1 200 OK", "Content-Length: 2", "Connection: close"], b"{}"),
        (make(), OLD, ["HTTP/1.1 200 OK", "Content-Length: 2", "Connection: close"], b"{}"),
        (
            make(),
            OLD.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"),
            ["HTTP/1.1 200 OK", "Content-Length: 2", "Connection: keep-alive"],
            b"{}",
        ),
        (make(headers={"X": "é\udcff"}), GET, ["HTTP/1.1 200 OK", "X: Ã©ÿ", "Content-Length: 2"], b"{}"),
    ],
)
async def test_an_answer_on_the_wire(answer: Make, request_: bytes, lines: list[str], body: bytes) -> None:
    async with answering(answer) as port:
        heard = await talk(port, request_)
    head, _, rest = heard.partition(b"\r\n\r\n")
    written = head.decode("latin-1").split("\r\n")
    dates = [line for line in written if line.startswith("Date: ")]
    assert [line for line in written if line not in dates] == lines
    assert len(dates) == 1
    assert re.fullmatch(r"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", dates[0])
    assert rest == body


async def test_answers_follow_one_another_on_a_connection_and_a_large_one_is_whole() -> None:
    async with answering(make(body=b"x" * 300_000)) as port:
        heard = await talk(port, GET + GET, 2)
    assert heard.count(b"HTTP/1.1 200 OK") == 2
    assert heard.count(b"x") == 600_000


def test_a_header_that_would_break_the_framing_is_never_written() -> None:
    with pytest.raises(ValueError, match="framing"):
        make(headers={"X": "a\r\nSet-Cookie: b"})()._head(is_old=False)


async def test_an_answer_from_elsewhere_keeps_its_date() -> None:
    async with answering(make(headers={"Date": "Mon, 23 Nov 2020 10:00:00 GMT"})) as port:
        heard = await talk(port, GET)
    assert heard.count(b"Date: ") == 1
    assert b"Date: Mon, 23 Nov 2020 10:00:00 GMT\r\n" in heard
