"""Clients that break the rules: refused with a 4xx, and no upstream hears of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

CONFIG = """
version: 1
server: {body_timeout: 200ms}
upstreams: {up: "${env.UP}"}
routes:
  - name: page
    match: /page/{id}
    calls: {thing: {get: "up:/thing/${params.id}", query: {q: $.query.q}, headers: {X-Q: $.query.h}}}
    merge: $.thing
  - {name: pass, match: "/pass/{rest:path}", max_body: 10B, proxy: up}
"""


class Upstream:
    def __init__(self) -> None:
        self.heard: list[str] = []

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.heard.append(request.raw_path)
        return web.json_response({"ok": True})


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[Upstream, str]]:
    handler = Upstream()
    async with RawTestServer(handler) as server:
        yield handler, str(server.make_url("")).rstrip("/")


def request(target: bytes, *headers: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: example.com", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CASES: dict[str, tuple[bytes, set[int]]] = {
    "a header of 64 KiB": (request(b"/page/1", b"X-A: " + b"a" * 65536), {431}),
    "200 headers": (request(b"/page/1", *[b"X-%d: 1" % number for number in range(200)]), {431, 400}),
    "a path of 100,000 characters": (request(b"/page/" + b"a" * 100_000), {414}),
    "an encoded line break in a path": (request(b"/page/a%0d%0aX-Evil:%201"), {400}),
    "an encoded NUL in a path": (request(b"/page/a%00"), {400}),
    "an encoded line break in a query value": (request(b"/page/1?q=a%0d%0aX-Evil:%201"), {400}),
    "an encoded NUL in a query value": (request(b"/page/1?q=%00"), {400}),
    "a line break on its way into a header": (request(b"/page/1?h=a%0d%0aX-Evil:%201"), {400}),
    "a dot segment": (request(b"/pass/../page/1"), {400}),
    "an encoded dot segment": (request(b"/pass/%2e%2e/page/1"), {400}),
    "a twice encoded dot segment": (request(b"/page/%252e%252e"), {400}),
    "a raw control character": (request(b"/page/\x01"), {400}),
    "a raw NUL": (request(b"/page/\x00"), {400}),
    "both lengths": (
        request(b"/pass/x", b"Content-Length: 3", b"Transfer-Encoding: chunked", method=b"POST", body=b"0\r\n\r\n"),
        {400},
    ),
    "two lengths": (
        request(b"/pass/x", b"Content-Length: 3", b"Content-Length: 4", method=b"POST", body=b"abc"),
        {400},
    ),
    "a length that is none": (request(b"/pass/x", b"Content-Length: 1_0", method=b"POST", body=b"0123456789"), {400}),
    "space before a colon": (request(b"/page/1", b"X-A : 1"), {400}),
    "a folded header": (request(b"/page/1", b"X-A: 1", b" 2"), {400}),
    "two hosts": (request(b"/page/1", b"Host: other.example"), {400}),
    "a host with a path": (b"GET /page/1 HTTP/1.1\r\nHost: example.com/x\r\n\r\n", {400}),
    "a target that names another host": (request(b"http://other.example/page/1"), {400}),
    "a body over the limit": (request(b"/pass/x", b"Content-Length: 11", method=b"POST", body=b"x" * 11), {413}),
    "a chunked body over the limit": (
        request(
            b"/pass/x", b"Transfer-Encoding: chunked", method=b"POST", body=b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n"
        ),
        {413},
    ),
    "a chunk size that is none": (
        request(b"/pass/x", b"Transfer-Encoding: chunked", method=b"POST", body=b"zz\r\n\r\n"),
        {400},
    ),
    "a body that does not come": (request(b"/pass/x", b"Content-Length: 5", method=b"POST", body=b"ab"), {408}),
    "an expectation that is not 100-continue": (
        request(b"/pass/x", b"Expect: tea", b"Content-Length: 2", method=b"POST", body=b"ab"),
        {417},
    ),
    "CONNECT": (request(b"example.com:443", method=b"CONNECT"), {400, 405}),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", {400}),
}


async def exchange(url: str, data: bytes) -> tuple[int, bytes]:
    """Send raw bytes; read the status and the whole of what comes back within reason."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(10):
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    return int(head.split(b" ", 2)[1]), head


@pytest.mark.parametrize("case", CASES)
async def test_it_is_refused_and_nothing_is_sent(
    case: str, serving: Any, upstream: tuple[Upstream, str], tmp_path: Path
) -> None:
    data, statuses = CASES[case]
    handler, address = upstream
    (tmp_path / "routes.yaml").write_text(CONFIG)
    async with serving(tmp_path / "routes.yaml", {"UP": address}) as url:
        status, head = await exchange(url, data)
    assert status in statuses, head
    assert b"application/problem+json" in head
    assert handler.heard == []


async def test_an_ordinary_request_after_all_that_is_served(
    serving: Any, upstream: tuple[Upstream, str], tmp_path: Path
) -> None:
    handler, address = upstream
    (tmp_path / "routes.yaml").write_text(CONFIG)
    async with serving(tmp_path / "routes.yaml", {"UP": address}) as url:
        for data, _ in CASES.values():
            await exchange(url, data)
        status, _ = await exchange(url, request(b"/page/1?q=a%20b"))
    assert status == 200
    assert handler.heard == ["/thing/1?q=a%20b"]
