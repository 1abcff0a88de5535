"""Our upstream client and aiohttp's, asked the same of the same upstream: every difference between them is meant.

A few hundred answers, good and bad, are made from a seed: a framing, at most one oddity, cut at random places. What
differs must be in `KNOWN` under its oddity, with the reason; an entry that explains nothing any more fails too.
"""

import asyncio
import random
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from multidict import CIMultiDict

from proxy.errors import GatewayError
from proxy.plan.upstreams import Endpoint, UpstreamPlan
from proxy.upstream.exchange import UpstreamRequest
from proxy.upstream.http1.pool import Pool

BODY = b"hello, world"
PLAIN = "nothing odd"


@dataclass(frozen=True)
class Answer:
    """What the upstream sends for one target. It closes afterwards."""

    oddity: str
    data: bytes
    cuts: tuple[int, ...] = ()
    method: str = "GET"

    def pieces(self) -> list[bytes]:
        edges = [0, *self.cuts, len(self.data)]
        return [self.data[start:end] for start, end in pairwise(edges) if start < end]


def chunk(data: bytes, extension: bytes = b"", size: bytes = b"") -> bytes:
    return (size or b"%x" % len(data)) + extension + b"\r\n" + data + b"\r\n"


LENGTH = b"Content-Length: 12\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = chunk(BODY[:5]) + chunk(BODY[5:]) + b"0\r\n\r\n"
# framing fields, body
FRAMINGS = {
    "length": (LENGTH, BODY),
    "chunked": (CHUNKED, CHUNKS),
    "close": (b"", BODY),
    "empty": (b"Content-Length: 0\r\n", b""),
}
STATUSES = (b"200 OK", b"201 Created", b"404 Not Found", b"500 Internal Server Error", b"206 Partial Content")

# Put between the status line and the framing.
FIELDS = {
    "a repeated field": b"X-A: 1\r\nx-a: 2\r\nSet-Cookie: a=b\r\nSET-COOKIE: c=d\r\n",
    "an empty value": b"X-Empty:\r\nX-Blank:   \r\n",
    "space around a value": b"X-A: \t b \t\r\n",
    "a comma list": b"X-A: a,,b, c\r\n",
    "bytes that are not ASCII": b"X-A: \xc3\xa9\r\n",
    "bytes that are not UTF-8": b"X-A: \xff\xfe\r\n",
    "odd characters in a name": b"X!#$%&'*+-.^_`|~1: a\r\n",
    "quotes and brackets in a value": b'X-A: "a(b)c" <d> [e] {f}\r\n',
    "a long value": b"X-A: " + b"a" * 5000 + b"\r\n",
    "100 fields": b"".join(b"X-%d: %d\r\n" % (number, number) for number in range(100)),
    "obs-fold": b"X-A: a\r\n b\r\n",
    "space before a colon": b"X-A : a\r\n",
    "a field without a colon": b"X-A\r\n",
    "a field without a name": b": a\r\n",
    "a space in a name": b"X A: a\r\n",
    "a NUL in a value": b"X-A: a\0b\r\n",
    "a control character in a value": b"X-A: a\x01b\r\n",
    "DEL in a value": b"X-A: a\x7fb\r\n",
    "a bare CR in a value": b"X-A: a\rb\r\n",
    "a bare LF after a field": b"X-A: a\n",
    "a lower-case framing name": b"connection: keep-alive\r\n",
    "Connection: close": b"Connection: close\r\n",
}
STATUS_LINES = {
    "HTTP/1.0": b"HTTP/1.0 200 OK",
    "no reason": b"HTTP/1.1 200 ",
    "no reason and no space": b"HTTP/1.1 200",
    "an odd reason": b"HTTP/1.1 200 Sure: why \xe9 not?",
    "HTTP/1.2": b"HTTP/1.2 200 OK",
    "HTTP/2.0": b"HTTP/2.0 200 OK",
    "another protocol": b"SSH-2.0-x",
    "a lower-case protocol": b"http/1.1 200 OK",
    "status 99": b"HTTP/1.1 99 Odd",
    "status 999": b"HTTP/1.1 999 Odd",
    "status 2000": b"HTTP/1.1 2000 Odd",
    "a status that is no number": b"HTTP/1.1 abc Odd",
    "two spaces before the status": b"HTTP/1.1  200 OK",
}
# Whole framings that are odd.
ODD_FRAMINGS = {
    "both lengths": (LENGTH + CHUNKED, CHUNKS),
    "two equal lengths": (LENGTH + LENGTH, BODY),
    "two lengths": (LENGTH + b"Content-Length: 5\r\n", BODY),
    "a list of equal lengths": (b"Content-Length: 12, 12\r\n", BODY),
    "a length with a sign": (b"Content-Length: +12\r\n", BODY),
    "a negative length": (b"Content-Length: -1\r\n", BODY),
    "a length with zeros": (b"Content-Length: 0012\r\n", BODY),
    "a hexadecimal length": (b"Content-Length: 0xc\r\n", BODY),
    "an empty length": (b"Content-Length:\r\n", BODY),
    "a length that overflows": (b"Content-Length: 99999999999999999999999\r\n", BODY),
    "CHUNKED": (b"Transfer-Encoding: CHUNKED\r\n", CHUNKS),
    "chunked twice": (b"Transfer-Encoding: chunked, chunked\r\n", CHUNKS),
    "another coding": (b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS),
    "a coding that is not the last": (b"Transfer-Encoding: chunked, gzip\r\n", BODY),
    "identity": (b"Transfer-Encoding: identity\r\n", BODY),
    "an empty coding": (b"Transfer-Encoding:\r\n", BODY),
    "a chunk extension": (CHUNKED, chunk(BODY, b";a=b;c") + b"0;last\r\n\r\n"),
    "a quoted chunk extension": (CHUNKED, chunk(BODY, b';a="b;c"') + b"0\r\n\r\n"),
    "upper-case chunk sizes": (CHUNKED, chunk(BODY, size=b"C") + b"0\r\n\r\n"),
    "a chunk size with zeros": (CHUNKED, chunk(BODY, size=b"00c") + b"000\r\n\r\n"),
    "trailers": (CHUNKED, CHUNKS[:-2] + b"X-Sum: 1\r\nX-Other: 2\r\n\r\n"),
    "a chunk size with a space": (CHUNKED, chunk(BODY, b" ") + b"0\r\n\r\n"),
    "a chunk size that is none": (CHUNKED, b"xyz\r\n" + BODY),
    "a chunk size with a prefix": (CHUNKED, chunk(BODY, size=b"0xc") + b"0\r\n\r\n"),
    "a negative chunk size": (CHUNKED, chunk(BODY, size=b"-c") + b"0\r\n\r\n"),
    "an empty chunk size": (CHUNKED, b"\r\n" + BODY),
    "a chunk size that overflows": (CHUNKED, chunk(BODY, size=b"fffffffffffffffff") + b"0\r\n\r\n"),
    "a chunk longer than it says": (CHUNKED, chunk(BODY, size=b"5") + b"0\r\n\r\n"),
    "a bare LF after a chunk size": (CHUNKED, b"c\n" + BODY + b"\r\n0\r\n\r\n"),
    "a bare LF after a chunk": (CHUNKED, b"c\r\n" + BODY + b"\n0\r\n\r\n"),
    "a length cut short": (LENGTH, BODY[:-1]),
    "a chunk cut short": (CHUNKED, b"c\r\n" + BODY[:-1]),
    "no last chunk": (CHUNKED, chunk(BODY)),
    "half a last chunk": (CHUNKED, chunk(BODY) + b"0\r\n"),
    "bytes after the body": (LENGTH, BODY + b"more"),
    "an answer after the answer": (LENGTH, BODY + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
}
# Put before the whole answer.
BEFORE = {
    "100 before": b"HTTP/1.1 100 Continue\r\n\r\n",
    "103 before": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n",
    "two interim answers before": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n",
    "101 before": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "an empty line before": b"\r\n",
    "garbage before": b"\x00\xff garbage\r\n\r\n",
}
BODILESS = {
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304 with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n",
    "304 in chunks": b"HTTP/1.1 304 Not Modified\r\n" + CHUNKED + b"\r\n",
}

# Oddity → (ours, theirs, why). An outcome is "error", or "answer" with whatever of it differs.
STRICTER = ("error", "answer")
KNOWN: dict[str, tuple[str, str, str]] = {
    "101 before": (*STRICTER, "another protocol that nobody asked for; aiohttp gives 101 as the answer"),
    "DEL in a value": (*STRICTER, "RFC 9110 §5.5: it is not allowed, and our own server could not write it"),
    "a control character in a value": (*STRICTER, "the same"),
    "obs-fold": (*STRICTER, "RFC 9112 §5.2 leaves the choice; who joins lines otherwise than we do sees other fields"),
    "a bare LF after a field": (*STRICTER, "RFC 9112 §2.2 allows it, request smuggling lives on it"),
    "bare LFs": (*STRICTER, "the same"),
    "a bare LF after a chunk": (*STRICTER, "the same, and RFC 9112 §7.1 does not allow it"),
    "a chunk size with a space": (*STRICTER, "RFC 9112 §7.1 does not allow it"),
    "an empty coding": (*STRICTER, "RFC 9112 §6.1: no coding is named, so the length is in doubt"),
    "status 999": (*STRICTER, "RFC 9110 §15: no such class, and no client would know what to make of it"),
    "bytes after the body": (
        *("answer", "error"),
        "the answer is whole; the connection, on which nobody knows what comes next, is closed",
    ),
}


def make_answers(seed: int) -> list[Answer]:
    rng = random.Random(seed)
    answers = []

    def add(oddity: str, data: bytes, method: str = "GET") -> None:
        for cuts in range(3):  # whole, cut once, cut in several places
            places = sorted(rng.sample(range(1, len(data)), min(len(data) - 1, (0, 1, 6)[cuts])))
            answers.append(Answer(oddity, data, tuple(places), method))

    def plain() -> tuple[bytes, bytes]:
        return FRAMINGS[rng.choice(("length", "chunked", "close"))]

    for fields, body in FRAMINGS.values():
        for status in STATUSES:
            add(PLAIN, b"HTTP/1.1 " + status + b"\r\nX-A: b\r\n" + fields + b"\r\n" + body)
        add("HEAD", b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n", "HEAD")
    for oddity, field in FIELDS.items():
        fields, body = plain()
        add(oddity, b"HTTP/1.1 200 OK\r\n" + field + fields + b"\r\n" + body)
    for oddity, line in STATUS_LINES.items():
        add(oddity, line + b"\r\n" + LENGTH + b"\r\n" + BODY)
    for oddity, (fields, body) in ODD_FRAMINGS.items():
        add(oddity, b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + body)
    for oddity, before in BEFORE.items():
        add(oddity, before + b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY)
    for oddity, data in BODILESS.items():
        add(oddity, data)
    whole = b"HTTP/1.1 200 OK\r\nX-A: b\r\n" + LENGTH + b"\r\n"
    for end in rng.sample(range(len(whole)), 12):
        add("a head cut short", whole[:end] or b"H")
    add("bare LFs", whole.replace(b"\r\n", b"\n") + BODY)
    return answers


class Scripted:
    """Sends the answer that the target names, piece by piece, then closes."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            for piece in self.answers[int(head.split(b" ")[1][1:])].pieces():
                writer.write(piece)
                await writer.drain()
                for _ in range(3):  # turns of the loop in which the other side reads it
                    await asyncio.sleep(0)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


Outcome = tuple[Any, ...]
ERROR: Outcome = ("error",)


def outcome(status: int, fields: Any, body: bytes) -> Outcome:
    return "answer", status, [(bytes(name).lower(), bytes(value)) for name, value in fields], body


async def ask_aiohttp(session: ClientSession, url: str, method: str) -> Outcome:
    try:
        async with session.request(method, url, allow_redirects=False) as response:
            return outcome(response.status, response.raw_headers, await response.read())
    except (ClientError, TimeoutError, ConnectionError, ValueError):
        return ERROR


async def ask_whole(pool: Pool, request: UpstreamRequest) -> Outcome:
    try:
        answer = await pool.send(request)
    except GatewayError:
        return ERROR
    return outcome(answer.status, answer.head.raw_headers, answer.body)


async def ask_streamed(pool: Pool, request: UpstreamRequest) -> Outcome:
    try:
        answer = await pool.open(request)
        body = b"".join([piece async for piece in answer])
    except GatewayError:
        return ERROR
    return outcome(answer.status, answer.head.raw_headers, body)


PLAN = UpstreamPlan(
    name="u",
    endpoints=(),
    host="upstream",
    forward_headers=(),
    max_connections=8,
    connect_s=5,
    pool_s=5,
    first_byte_s=5,
    idle_s=5,
    keepalive_s=4,
)


async def compare(answers: list[Answer]) -> dict[str, set[tuple[str, str]]]:
    """The differences, by oddity: what ours said and what theirs said."""
    server = await asyncio.start_server(Scripted(answers), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = Pool(replace(PLAN), Endpoint("http", "127.0.0.1", port), None)
    found: dict[str, set[tuple[str, str]]] = {}
    async with (
        server,
        ClientSession(
            connector=TCPConnector(force_close=True),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            timeout=ClientTimeout(total=2),
            max_field_size=65536,
            max_line_size=65536,
        ) as session,
    ):
        for number, answer in enumerate(answers):
            request = UpstreamRequest(
                method=answer.method, target=f"/{number}", headers=CIMultiDict(), body=None, max_body=10_000
            )
            ours = await ask_whole(pool, request)
            assert await ask_streamed(pool, request) == ours, answer
            theirs = await ask_aiohttp(session, f"http://127.0.0.1:{port}/{number}", answer.method)
            if ours != theirs:
                found.setdefault(answer.oddity, set()).add((ours[0], theirs[0]))
    pool.close()
    return found


async def test_every_difference_from_aiohttps_client_is_meant() -> None:
    answers = make_answers(7)
    assert len(answers) > 300
    found = await compare(answers)
    assert found == {oddity: {(ours, theirs)} for oddity, (ours, theirs, _) in KNOWN.items()}
