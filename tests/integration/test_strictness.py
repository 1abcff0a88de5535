"""docs/strictness.md, row by row: what is sent, and what comes back."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs/strictness.md"
_ROW = re.compile(r"^\| ([^|]+) \| `(.+)` \| (\d+)(, closed)? \| [^|]+ \|$", re.M)
CONFIG = """
version: 1
server: {body_timeout: 5s}
upstreams: {up: "${env.UP}"}
routes:
  - {name: composed, match: GET /composed, calls: {doc: {get: "up:/doc"}}, merge: $.doc}
  - {name: passed, match: "/{rest:path}", proxy: up}
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def rows(section: str) -> dict[str, tuple[bytes, int, bool]]:
    text = PAGE.read_text("utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = {
        name.strip(): (octets(sent), int(status), bool(closed)) for name, sent, status, closed in _ROW.findall(text)
    }
    assert len(found) == text.count("\n|") - 2, "a row of the table is not read"
    return found


def octets(text: str) -> bytes:
    repeated = re.sub(r"\{(\w)\*(\d+)\}", lambda found: found[1] * int(found[2]), text)
    return repeated.encode("latin-1").decode("unicode_escape").encode("latin-1")


class Upstream:
    """Answers every request with the same bytes and counts the requests and connections."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests = 0
        self.connections = 0


class Connection(asyncio.Protocol):
    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.upstream.connections += 1
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        head, end, body = self.heard.partition(b"\r\n\r\n")
        if end and (b"chunked" not in head.lower() or body.endswith(b"0\r\n\r\n")):
            self.heard = b""
            self.upstream.requests += 1
            self.transport.write(self.upstream.answer)


@asynccontextmanager
async def upstream(answer: bytes) -> AsyncIterator[tuple[Upstream, str]]:
    heard = Upstream(answer)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(heard), "127.0.0.1", 0)
    async with server:
        yield heard, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def talk(url: str, data: bytes, closed: bool) -> tuple[int, bytes]:
    """The status and head that come back; reads on to the end where the connection is to be closed."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(10):
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 1"):
            head = await reader.readuntil(b"\r\n\r\n")
        if closed:
            await reader.read()
    writer.close()
    return int(head.split(b" ", 2)[1]), head


REQUESTS = rows("Requests")
ANSWERS = rows("Answers of upstreams")


@pytest.mark.parametrize("case", REQUESTS)
async def test_a_request_is_answered_as_the_table_says(case: str, serving: Any, tmp_path: Path) -> None:
    data, status, closed = REQUESTS[case]
    (tmp_path / "routes.yaml").write_text(CONFIG)
    async with upstream(OK) as (heard, address), serving(tmp_path / "routes.yaml", {"UP": address}) as url:
        got, head = await talk(url, data, closed)
    assert got == status
    assert (b"connection: close" in head.lower()) is closed
    assert heard.requests == (1 if status == 200 else 0)
    assert status == 200 or b"application/problem+json" in head


@pytest.mark.parametrize("path", ["/composed", "/passed"])
@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_is_taken_as_the_table_says(case: str, path: str, serving: Any, tmp_path: Path) -> None:
    data, status, _ = ANSWERS[case]
    (tmp_path / "routes.yaml").write_text(CONFIG)
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    async with upstream(data) as (answering, address), serving(tmp_path / "routes.yaml", {"UP": address}) as url:
        first, _ = await talk(url, request, False)
        answering.answer = OK
        second, _ = await talk(url, request, False)
    assert (first, second) == (status, 200)
    if case != "early hints first":
        assert answering.connections == 2  # the first was never used again
