"""The bytes of answers to HEAD and of a 304, and compression beside the loop, on real sockets."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from yarl import URL

CONFIG = """
version: 1
upstreams: {u: "${env.U}"}
routes:
  - {name: page, match: GET /page, calls: {a: {get: "u:/a"}}, merge: $.a}
"""
LIST = [{"id": number, "name": f"name {number}"} for number in range(5000)]


@pytest.fixture
async def url(serving: Any, tmp_path: Path) -> AsyncIterator[URL]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(LIST)

    (tmp_path / "routes.yaml").write_text(CONFIG)
    async with (
        RawTestServer(answer) as upstream,
        serving(tmp_path / "routes.yaml", {"U": str(upstream.make_url("")).rstrip("/")}) as url,
    ):
        yield URL(url)


async def talk(url: URL, method: str, *fields: str) -> tuple[list[str], bytes]:
    """The head's lines and whatever bytes follow until the gateway closes."""
    assert url.host is not None
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        lines = (f"{method} /page HTTP/1.1", "Host: x", "Connection: close", *fields, "", "")
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(10):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    changing = ("date:", "x-request-id:")
    return [line for line in head.decode().split("\r\n") if not line.lower().startswith(changing)], body


@pytest.mark.parametrize("fields", [(), ("Accept-Encoding: gzip",)], ids=["plain", "gzip"])
async def test_head_has_every_header_of_get_and_not_one_byte_of_the_body(url: URL, fields: tuple[str, ...]) -> None:
    of_get, body = await talk(url, "GET", *fields)
    of_head, nothing = await talk(url, "HEAD", *fields)
    assert of_head == of_get
    assert nothing == b""
    assert f"Content-Length: {len(body)}" in of_head
    assert any(line.startswith("ETag: ") for line in of_head)


async def test_a_long_answer_unpacks_to_the_same(url: URL) -> None:
    _, plain = await talk(url, "GET")
    head, packed = await talk(url, "GET", "Accept-Encoding: gzip")
    assert "Content-Encoding: gzip" in head
    assert gzip.decompress(packed) == plain
    assert len(plain) > 64 * 1024 > len(packed)


async def test_a_304_has_neither_a_body_nor_a_length(url: URL) -> None:
    head, body = await talk(url, "GET", "If-None-Match: *")
    assert head[0] == "HTTP/1.1 304 Not Modified"
    assert body == b""
    assert not any(line.lower().startswith(("content-", "transfer-")) for line in head)
