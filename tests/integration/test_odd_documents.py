"""Documents at the edge of JSON: what happens is defined, and nothing crashes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import RawTestServer

CONFIG = """
version: 1
upstreams: {up: "${env.UP}"}
routes:
  - name: whole
    match: GET /whole
    calls: {doc: {get: "up:/", max_body: 32MiB}}
    merge: $.doc
  - name: inside
    match: GET /inside
    calls: {doc: {get: "up:/", max_body: 32MiB}}
    merge: {a: $.doc.a, b: "${doc.b}", deep: "$.doc..x", n: {$cel: "size(doc)"}}
  - name: small
    match: GET /small
    calls: {doc: {get: "up:/"}}
    merge: $.doc
"""


class Upstream:
    body = b""

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        return web.Response(body=self.body, content_type="application/json")


@pytest.fixture
async def ask(serving: Any, tmp_path: Path) -> AsyncIterator[Any]:
    upstream = Upstream()
    (tmp_path / "routes.yaml").write_text(CONFIG)
    async with RawTestServer(upstream) as server:
        env = {"UP": str(server.make_url("")).rstrip("/")}
        async with serving(tmp_path / "routes.yaml", env) as url, ClientSession() as session:

            async def asking(body: bytes, path: str = "/whole") -> tuple[int, bytes]:
                upstream.body = body
                async with session.get(url + path) as response:
                    return response.status, await response.read()

            yield asking


def nested(depth: int) -> bytes:
    return b'{"x":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    "sent,got",
    [
        (nested(100), nested(100)),
        (b'{"a":1e999,"b":-1e-999}', b'{"a":1e999,"b":-1e-999}'),
        (b'{"a":1,"a":2}', b'{"a":1,"a":2}'),
        (b'"\\ud83d\\ude00"', b'"\\ud83d\\ude00"'),
        (b'{"a":' + b"9" * 400 + b"}", b'{"a":' + b"9" * 400 + b"}"),
        (b" [ 1 , 2 ] ", b"[ 1 , 2 ]"),
        (b"9" * 10_000, b"9" * 10_000),
        (b'{"":{"\\u0000":null}}', b'{"":{"\\u0000":null}}'),
        (b"", b"null"),
        (b"null", b"null"),
        (b"false", b"false"),
    ],
)
async def test_it_is_answered(sent: bytes, got: bytes, ask: Any) -> None:
    assert await ask(sent) == (200, got)


@pytest.mark.parametrize(
    "sent",
    [
        nested(100_000),
        b"[" * 100_000,
        b"NaN",
        b'{"a":Infinity}',
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"{'a':1}",
        b'{"a":1}{"b":2}',
        b'{"a":01}',
        b'{"a":1,}',
        b'"\x01"',
    ],
)
@pytest.mark.parametrize("path", ["/whole", "/inside"])
async def test_it_is_a_502_that_names_the_call(sent: bytes, path: str, ask: Any) -> None:
    status, body = await ask(sent, path)
    problem = json.loads(body)
    assert (status, problem["code"], problem["call"]) == (502, "upstream_invalid", "doc")


async def test_a_number_of_ten_thousand_digits_is_moved_but_not_computed_with(ask: Any) -> None:
    assert (await ask(b"9" * 10_000))[0] == 200
    assert (await ask(b"9" * 10_000, "/inside"))[0] == 502


async def test_what_is_looked_into_is_written_anew(ask: Any) -> None:
    """Of a key that stands twice the last counts; what is only moved stays as it came."""
    status, body = await ask(b'{"a":1,"a": 2 ,"b":"\\u0041"}', "/inside")
    assert (status, json.loads(body)["a"], json.loads(body)["b"]) == (200, 2, "A")


async def test_a_string_of_ten_megabytes_passes_where_it_is_allowed_and_only_there(ask: Any) -> None:
    text = b'"' + b"x" * 10_000_000 + b'"'
    assert await ask(text) == (200, text)
    status, body = await ask(text, "/small")
    assert (status, json.loads(body)["code"]) == (502, "upstream_too_large")


@pytest.mark.parametrize("sent", [nested(100), b'{"a":1e999,"b":"x"}', b"[]", b"3", b'{"b":[1]}'])
async def test_expressions_over_it_never_crash(sent: bytes, ask: Any) -> None:
    status, body = await ask(sent, "/inside")
    assert status == 200
    assert set(json.loads(body)) == {"a", "b", "deep", "n"}
