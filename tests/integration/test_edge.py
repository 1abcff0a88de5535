"""The fronts of deploy/edge, as they stand there, before a real gateway: HTTP/2 and HTTP/3 get through them."""

import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import ClientError, ClientSession, TCPConnector, web
from aiohttp.test_utils import RawTestServer
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent

from tests.real_servers import needed

EDGE = Path(__file__).parents[2] / "deploy" / "edge"
FRONTS = ("haproxy", "caddy")
CLIENT = "127.0.0.2"
# A front that says it in the protocol is no hop of HTTP's.
WAYS = {"haproxy": CLIENT, "caddy": f"{CLIENT}, 127.0.0.1"}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.port = free_port()
        self.gateway: Any = None
        self.more = asyncio.Event()
        self.url = f"https://localhost:{self.port}"
        cert = self.ca.issue_cert("localhost")
        cert.private_key_and_cert_chain_pem.write_to_path(folder / "site.pem")
        cert.cert_chain_pems[0].write_to_path(folder / "site.crt")
        cert.private_key_pem.write_to_path(folder / "site.key")
        (folder / "ca.pem").write_bytes(self.ca.cert_pem.bytes())

    async def upstream(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade"):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(message.data[::-1])
            return socket
        if request.path == "/events":
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(b"data: 1\n\n")
            await self.more.wait()
            await response.write(b"data: 2\n\n")
            return response
        return web.json_response(
            {"for": request.headers.get("X-Forwarded-For"), "proto": request.headers.get("X-Forwarded-Proto")}
        )

    @property
    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context

    @property
    def session(self) -> ClientSession:
        return ClientSession(connector=TCPConnector(ssl=self.trust))

    def front_environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "EDGE_BIND": f"127.0.0.1:{self.port}",
            "EDGE_CERT": str(self.folder / "site.pem"),
            "EDGE": self.url,
            "EDGE_TLS": f"tls {self.folder / 'site.crt'} {self.folder / 'site.key'}",
            "EDGE_OPTIONS": "auto_https disable_redirects",
            "GATEWAY": self.gateway.url.removeprefix("https://"),
            "CERTS": str(self.folder / "certs"),
            "XDG_DATA_HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
        }

    async def curl(self, path: str, *arguments: str) -> tuple[str, Any]:
        """The version of HTTP that was spoken, and the answer."""
        given = ["--silent", "--show-error", "--cacert", str(self.folder / "ca.pem"), *arguments, f"{self.url}{path}"]
        process = await asyncio.create_subprocess_exec(
            needed("curl"), "--write-out", "\n%{http_version} %{http_code}", *given, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(20):
            output, _ = await process.communicate()
        body, _, said = output.decode().rpartition("\n")
        version, status = said.split()
        return version, json.loads(body) if status == "200" else int(status)


@asynccontextmanager
async def running(world: World, *command: str) -> AsyncIterator[None]:
    """A front that answers."""
    with (world.folder / "front.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env=world.front_environment(), cwd=world.folder, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(20), world.session as session:
            while True:
                assert process.returncode is None, (world.folder / "front.log").read_text()
                try:
                    async with session.get(world.url + "/who"):
                        break
                except ClientError:
                    await asyncio.sleep(0.02)  # there is no event for it: another process opens its port
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


Behind = Callable[[str], Any]


@pytest.fixture
async def behind(
    tmp_path: Path, start_gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    """A gateway behind one of the fronts."""
    for name in ("behind-haproxy.yaml", "behind-caddy.yaml", "routes.yaml"):
        shutil.copy(EDGE / name, tmp_path)
    needed("openssl")
    subprocess.run([EDGE / "make-certs", tmp_path / "certs"], check=True)  # noqa: ASYNC221 – nothing runs yet
    world = World(tmp_path)

    async with RawTestServer(world.upstream) as site:
        monkeypatch.setenv("SITE", str(site.make_url("")).rstrip("/"))
        monkeypatch.setenv("FRONT", "127.0.0.1")
        monkeypatch.setenv("OFFICE", CLIENT)

        @asynccontextmanager
        async def start(front: str) -> AsyncIterator[World]:
            program = needed(front)
            world.gateway = await start_gateway(tmp_path / f"behind-{front}.yaml")
            command = {
                "haproxy": (program, "-W", "-f", str(EDGE / "haproxy.cfg")),
                "caddy": (program, "run", "--config", str(EDGE / "Caddyfile"), "--adapter", "caddyfile"),
            }
            async with running(world, *command[front]):
                yield world

        yield start


@pytest.mark.parametrize("front", FRONTS)
async def test_a_client_of_http_2_is_known_by_its_own_address(front: str, behind: Behind) -> None:
    async with behind(front) as world:
        # From another address than the front's own, whose word would be believed.
        forged = [
            "--interface",
            CLIENT,
            "--header",
            "X-Forwarded-For: 192.0.2.66",
            "--header",
            "X-Forwarded-Proto: ftp",
        ]
        version, who = await world.curl("/who", "--http2", *forged)
        assert version == "2"
        assert who == {"ip": CLIENT, "scheme": "https", "host": f"localhost:{world.port}"}
        assert (await world.curl("/office", "--http2", *forged))[1] == ["in"]
        assert await world.curl("/any", "--http2", *forged) == ("2", {"for": WAYS[front], "proto": "https"})


@pytest.mark.parametrize("front", FRONTS)
async def test_whoever_is_not_the_front_does_not_get_in(front: str, behind: Behind) -> None:
    async with behind(front) as world:
        trusting = ssl.create_default_context(cafile=str(world.folder / "certs" / "ca.crt"))
        trusting.check_hostname = False
        async with ClientSession(connector=TCPConnector(ssl=trusting)) as session:
            with pytest.raises((ClientError, ConnectionError)):
                await session.get(world.gateway.url + "/who")


@pytest.mark.parametrize("front", FRONTS)
async def test_events_are_not_held_back_and_websockets_pass(front: str, behind: Behind) -> None:
    async with behind(front) as world, world.session as session:
        async with session.get(world.url + "/events") as response:
            assert await response.content.readline() == b"data: 1\n"
            world.more.set()
            assert (await response.content.read()).endswith(b"data: 2\n\n")
        async with session.ws_connect(world.url + "/chat") as connected:
            await connected.send_str("hello")
            assert (await connected.receive()).data == "olleh"


@pytest.mark.parametrize("front", FRONTS)
async def test_a_gateway_that_is_down_is_the_fronts_error(front: str, behind: Behind) -> None:
    async with behind(front) as world:
        world.gateway.process.kill()
        await world.gateway.process.wait()
        assert (await world.curl("/who", "--http2"))[1] in (502, 503)


class Http3(QuicConnectionProtocol):
    """One request over HTTP/3 (RFC 9114)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._http = H3Connection(self._quic)
        self._ended: asyncio.Future[tuple[dict[bytes, bytes], bytes]] = self._loop.create_future()
        self._headers: dict[bytes, bytes] = {}
        self._body = b""

    async def get(self, authority: str, path: str) -> tuple[dict[bytes, bytes], bytes]:
        stream = self._quic.get_next_available_stream_id()
        fields = {":method": "GET", ":scheme": "https", ":authority": authority, ":path": path}
        pairs = [(name.encode(), value.encode()) for name, value in fields.items()]
        self._http.send_headers(stream, pairs, end_stream=True)
        self.transmit()
        async with asyncio.timeout(20):
            return await self._ended

    def quic_event_received(self, event: QuicEvent) -> None:
        for one in self._http.handle_event(event):
            if isinstance(one, HeadersReceived):
                self._headers = dict(one.headers)
            elif isinstance(one, DataReceived):
                self._body += one.data
            if isinstance(one, HeadersReceived | DataReceived) and one.stream_ended:
                self._ended.set_result((self._headers, self._body))


async def test_a_client_of_http_3_gets_the_same(behind: Behind) -> None:
    async with behind("caddy") as world:
        configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN)
        configuration.load_verify_locations(cafile=str(world.folder / "ca.pem"))
        configuration.server_name = "localhost"
        async with connect("127.0.0.1", world.port, configuration=configuration, create_protocol=Http3) as client:
            assert isinstance(client, Http3)
            headers, body = await client.get(f"localhost:{world.port}", "/who")
        assert headers[b":status"] == b"200"
        assert json.loads(body) == {"ip": "127.0.0.1", "scheme": "https", "host": f"localhost:{world.port}"}
