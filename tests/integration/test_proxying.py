"""Passing through over real sockets: what only several parties together show."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import RawTestServer


@asynccontextmanager
async def forwarder(to: Callable[[], str]) -> AsyncIterator[str]:
    """The address of somebody who hands every connection on to an address that may become known later."""
    writers: list[asyncio.StreamWriter] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = to().removeprefix("http://").partition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writers.extend((writer, back))
        await asyncio.gather(copy(reader, back), copy(there, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in writers:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_a_route_that_leads_back_to_the_gateway_ends_with_508(
    serving: Any, tmp_path: Path, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nserver: {id: edge, max_passes: 3}\nupstreams: {self: '${env.SELF}'}\n"
        "routes: [{name: round, match: '/{rest:path}', proxy: self}]\n"
    )
    known: list[str] = []
    async with forwarder(lambda: known[0]) as address, serving(tmp_path / "routes.yaml", {"SELF": address}) as url:
        known.append(url)
        async with asyncio.timeout(10):
            response = await session.get(f"{url}/x")
            problem = await response.json()
    assert (response.status, problem["code"]) == (508, "loop_detected")
    assert response.headers.getall("Via") == ["1.1 edge"] * 3


class RawUpstream:
    """Answers the head of each request with the same bytes; `{own}` in them is its own URL."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.url = ""
        self.heard: list[bytes] = []
        self.gone = asyncio.Event()
        self.called = asyncio.Event()
        self.server: asyncio.Server

    async def __aenter__(self) -> "RawUpstream":
        self.server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.heard.append(await reader.readuntil(b"\r\n\r\n"))
                self.called.set()
                writer.write(self.answer.replace("{own}", self.url).encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        finally:
            writer.close()


async def ask(url: str, head: str) -> bytes:
    """The answer to a request that is written byte for byte, up to the end of its connection."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode("latin-1") + b"Connection: close\r\n\r\n")
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "target,heard",
    [
        ("/p/a%2Fb%20c", "/v1/a%2Fb%20c"),
        ("/p/a+b;c=1,d", "/v1/a+b;c=1,d"),
        ("/p/%E9%ff", "/v1/%E9%FF"),
        ("/p/%41%7e", "/v1/A~"),
        ("/p//x", "/v1/x"),
        ("/p/x?", "/v1/x?"),
        ("/p/x?a=%2f&a=+&%zz&=;&b", "/v1/x?a=%2f&a=+&%zz&=;&b"),
        ("/p/@:!$&'()*", "/v1/@:!$&'()*"),
    ],
)
async def test_the_target_goes_on_as_it_was_matched(target: str, heard: str, serving: Any, tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {up: '${env.UP}'}\nroutes:\n"
        "  - {name: a, match: '/p/{rest:path}', proxy: {to: up, path: {strip_prefix: /p, add_prefix: /v1}}}\n"
    )
    ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with RawUpstream(ok) as up, serving(tmp_path / "routes.yaml", {"UP": up.url}) as url:
        assert (await ask(url, f"GET {target} HTTP/1.1\r\nHost: a\r\n")).startswith(b"HTTP/1.1 200")
    assert up.heard[0].startswith(f"GET {heard} HTTP/1.1\r\n".encode())


async def test_repeated_headers_keep_their_order_and_bytes_both_ways(serving: Any, tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {up: '${env.UP}'}\nroutes: [{name: a, match: /x, proxy: up}]\n"
    )
    ok = "HTTP/1.1 200 OK\r\nSet-Cookie: b=2\r\nX-A: 1\r\nset-cookie: a=1\r\nContent-Length: 0\r\n\r\n"
    async with RawUpstream(ok) as up, serving(tmp_path / "routes.yaml", {"UP": up.url}) as url:
        answer = await ask(url, "GET /x HTTP/1.1\r\nHost: a\r\nX-B: 2\r\nx-b: \xe9\r\nX-C: c\r\nX-B: 1\r\n")
    assert b"X-B: 2\r\nx-b: \xe9\r\nX-C: c\r\nX-B: 1\r\n" in up.heard[0]
    assert b"Set-Cookie: b=2\r\nX-A: 1\r\nset-cookie: a=1\r\n" in answer


async def test_a_page_does_not_wait_for_the_body_that_it_replaces_and_frees_its_connection(
    serving: Any, tmp_path: Path, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {up: '${env.UP}'}\n"
        "routes: [{name: a, match: '/{rest:path}', proxy: up, error_pages: {5xx: {body: sorry}}}]\n"
    )
    head = "HTTP/1.1 500 Oops\r\nContent-Length: 10000000\r\n\r\nthe beginning"
    async with RawUpstream(head) as up, serving(tmp_path / "routes.yaml", {"UP": up.url}) as url:
        async with asyncio.timeout(10):
            response = await session.get(f"{url}/x")
            assert (response.status, await response.read()) == (500, b"sorry")
            await up.gone.wait()


@pytest.mark.parametrize("place", ["{own}/base/b?c", "/base/b?c", "b?c"])
async def test_the_address_of_an_upstream_does_not_leave_in_a_redirect(
    place: str, serving: Any, tmp_path: Path, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {up: '${env.UP}/base'}\nroutes:\n"
        "  - {name: a, match: '/a/{rest:path}', proxy: {to: up, path: {strip_prefix: /a}, redirects: rewrite}}\n"
    )
    answer = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
    async with RawUpstream(answer) as up, serving(tmp_path / "routes.yaml", {"UP": up.url}) as url:
        response = await session.get(f"{url}/a/x", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (302, "/a/b?c")


@pytest.mark.parametrize("shadow", ["silent", "refusing"])
async def test_the_client_feels_nothing_of_a_shadow_that_does_not_answer(
    shadow: str, serving: Any, tmp_path: Path, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {up: '${env.UP}', shadow: '${env.SHADOW}'}\n"
        "routes: [{name: a, match: '/{rest:path}', proxy: {to: up, mirror: shadow}}]\n"
    )
    ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with RawUpstream(ok) as up, RawUpstream("") as silent:
        env = {"UP": up.url, "SHADOW": silent.url if shadow == "silent" else "http://127.0.0.1:1"}
        async with serving(tmp_path / "routes.yaml", env) as url, asyncio.timeout(10):
            for _ in range(100):
                response = await session.get(f"{url}/x", headers={"Cookie": "sid=1", "X-A": "b"})
                assert await response.read() == b"ok"
            if shadow == "silent":
                await silent.called.wait()
                assert b"X-A: b\r\n" in silent.heard[0]
                assert b"X-Mirrored: proxy-composer\r\n" in silent.heard[0]
                assert b"sid=1" not in silent.heard[0]


async def test_an_upload_is_copied_while_it_is_sent(serving: Any, tmp_path: Path, session: ClientSession) -> None:
    got: dict[str, asyncio.Future[bytes]] = {name: asyncio.get_running_loop().create_future() for name in "us"}

    def upstream(name: str) -> RawTestServer:
        async def take(request: web.BaseRequest) -> web.StreamResponse:
            got[name].set_result(await request.read())
            return web.Response(text="taken")

        return RawTestServer(take)

    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {up: '${env.UP}', shadow: '${env.SHADOW}'}\n"
        "routes: [{name: a, match: '/{rest:path}', proxy: {to: up, mirror: {to: shadow, max_body: 1MiB}}}]\n"
    )

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(200):
            yield b"%d" % (number % 10) * 1000

    async with upstream("u") as up, upstream("s") as shadow:
        env = {"UP": str(up.make_url("")).rstrip("/"), "SHADOW": str(shadow.make_url("")).rstrip("/")}
        async with serving(tmp_path / "routes.yaml", env) as url, asyncio.timeout(10):
            response = await session.put(f"{url}/x", data=pieces())
            assert await response.text() == "taken"
            assert await got["s"] == await got["u"] == b"".join([piece async for piece in pieces()])
