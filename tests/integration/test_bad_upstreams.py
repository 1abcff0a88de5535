"""Upstreams that break the rules: the answer names the call, comes in time, and tells no address."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

CONFIG = """
version: 1
upstreams:
  bad: {urls: ["http://127.0.0.1:PORT"], timeouts: {first_byte: 300ms, idle: 300ms}}
routes:
  - name: page
    match: GET /page
    timeout: 2s
    calls: {thing: {get: "bad:/thing", max_body: 1KiB, timeout: 1s}}
    merge: $.thing
  - {name: pass, match: GET /pass, timeout: 2s, proxy: bad}
"""

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def upstream(behave: Behave) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await behave(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def sends(data: bytes) -> Behave:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return behave


def sends_and_waits(data: bytes) -> Behave:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await reader.read()  # until the gateway has had enough

    return behave


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CASES: dict[str, tuple[Behave, int, str]] = {
    "garbage": (sends(b"\x00\xff this is not HTTP\r\n\r\n"), 502, "upstream_invalid"),
    "nothing": (sends(b""), 502, "upstream_unreachable"),
    "never": (sends_and_waits(b""), 504, "upstream_timeout"),
    "half a head": (sends_and_waits(b"HTTP/1.1 200 OK\r\nConte"), 504, "upstream_timeout"),
    "both lengths": (
        sends(OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        502,
        "upstream_invalid",
    ),
    "two lengths": (sends(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), 502, "upstream_invalid"),
    "an unasked upgrade": (
        sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        502,
        "upstream_invalid",
    ),
    "a header with a control character": (
        sends(OK + b"X-A: \x01\r\nContent-Length: 2\r\n\r\n{}"),
        502,
        "upstream_invalid",
    ),
    "a header of 100 KiB": (
        sends(OK + b"X-A: " + b"a" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}"),
        502,
        "upstream_invalid",
    ),
}
# What breaks off after its head: a composite needs all of it; a pass-through has sent the head on by then, see
# test_streaming.py.
MIDWAY: dict[str, tuple[Behave, int, str]] = {
    "a pause within the body": (sends_and_waits(OK + b'Content-Length: 50\r\n\r\n{"a": '), 504, "upstream_timeout"),
    "closes midway": (sends(OK + b'Content-Length: 50\r\n\r\n{"a": '), 502, "upstream_invalid"),
    "closes midway in a chunk": (
        sends(OK + b'Transfer-Encoding: chunked\r\n\r\n20\r\n{"a": '),
        502,
        "upstream_invalid",
    ),
}
COMPOSED_ONLY: dict[str, tuple[Behave, int, str]] = {
    "a huge body": (
        sends(OK + b"Content-Length: 5000\r\n\r\n" + b"1" * 5000),
        502,
        "upstream_too_large",
    ),
    "a huge body of unknown length": (sends(OK + b"\r\n" + b"1" * 5000), 502, "upstream_too_large"),
    "a body that unfolds": (
        sends(OK + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}"),
        502,
        "upstream_invalid",
    ),
    "a body that is not JSON": (sends(OK + b"Content-Length: 1\r\n\r\n{"), 502, "upstream_invalid"),
    "an endless redirect": (
        sends(b"HTTP/1.1 302 Found\r\nLocation: /thing\r\nContent-Length: 0\r\n\r\n"),
        502,
        "upstream_status",
    ),
}


async def ask(serving: Any, config: Path, behave: Behave, path: str) -> tuple[int, dict[str, Any], str]:
    async with upstream(behave) as port:
        config.write_text(CONFIG.replace("PORT", str(port)))
        async with (
            asyncio.timeout(10),
            serving(config) as url,
            ClientSession() as session,
            session.get(url + path) as response,
        ):
            text = await response.text()
            return response.status, json.loads(text), text.replace(str(port), "AN ADDRESS")


@pytest.mark.parametrize("case", [*CASES, *MIDWAY, *COMPOSED_ONLY])
async def test_a_composite_names_the_call_and_no_address(case: str, serving: Any, tmp_path: Path) -> None:
    behave, status, code = {**CASES, **MIDWAY, **COMPOSED_ONLY}[case]
    got, problem, text = await ask(serving, tmp_path / "routes.yaml", behave, "/page")
    assert (got, problem["code"], problem["call"]) == (status, code, "thing"), text
    assert problem["status"] == status
    assert "AN ADDRESS" not in text
    assert "127.0.0.1" not in text


@pytest.mark.parametrize("case", CASES)
async def test_a_pass_through_answers_with_the_same_problem(case: str, serving: Any, tmp_path: Path) -> None:
    behave, status, code = CASES[case]
    got, problem, text = await ask(serving, tmp_path / "routes.yaml", behave, "/pass")
    assert (got, problem["code"]) == (status, code), text
    assert "AN ADDRESS" not in text


async def test_a_slow_drip_ends_with_the_calls_own_time(serving: Any, tmp_path: Path) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 500\r\n\r\n")
        while True:  # faster than the idle limit, slower than the call's time allows
            writer.write(b"1")
            await writer.drain()
            await asyncio.sleep(0.05)

    got, problem, text = await ask(serving, tmp_path / "routes.yaml", drip, "/page")
    assert (got, problem["code"], problem["call"]) == (504, "upstream_timeout", "thing"), text


async def test_the_first_fatal_failure_closes_the_connections_of_the_other_calls(serving: Any, tmp_path: Path) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not asked.is_set():
            asked.set()
            assert await reader.read() == b""  # the gateway hangs up
            closed.set()

    async def fail(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked.wait()
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")

    async with upstream(behave) as slow, upstream(fail) as failing:
        (tmp_path / "routes.yaml").write_text(
            f"version: 1\nupstreams: {{slow: 'http://127.0.0.1:{slow}', failing: 'http://127.0.0.1:{failing}'}}\n"
            "routes: [{name: a, match: /a, calls: {x: {get: 'slow:/'}, y: {get: 'failing:/'}}}]\n"
        )
        async with serving(tmp_path / "routes.yaml") as url, ClientSession() as session:
            async with session.get(url + "/a") as response:
                assert response.status == 502
            await asyncio.wait_for(closed.wait(), 5)
