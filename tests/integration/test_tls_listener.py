"""The listener speaks TLS: names, versions, renewal without a restart, clients with certificates."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import ClientError, ClientSession, TCPConnector

from proxy.gateway import Gateway
from proxy.server.listener import Listener
from proxy.server.sockets import bind

CONFIG = """
version: 1
server:
  header_timeout: 300ms
  tls:
    certificates:
      - {{cert: one.pem, names: [localhost]}}
      - {{cert: two.pem, names: [two.example, "*.two.example"]}}
    {more}
routes: [{{name: hello, match: GET /, reply: {{body: {{scheme: $.request.scheme}}}}}}]
"""


class World:
    def __init__(self, folder: Path, more: str = "") -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.issue("one", "localhost")
        self.issue("two", "two.example", "*.two.example")
        (folder / "client_ca.pem").write_bytes(self.ca.cert_pem.bytes())
        (folder / "routes.yaml").write_text(CONFIG.format(more=more))
        self.gateway = Gateway(folder / "routes.yaml", env={})
        self.port = 0

    def issue(self, name: str, *hosts: str) -> None:
        self.ca.issue_cert(*hosts).private_key_and_cert_chain_pem.write_to_path(self.folder / f"{name}.pem")

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context

    async def certificate(self, name: str | None, context: ssl.SSLContext | None = None) -> dict[str, Any]:
        """What a handshake with this server name is answered by."""
        context = context or self.client()
        context.check_hostname = False
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=name or "")
        found: dict[str, Any] = writer.get_extra_info("peercert")
        writer.close()
        return found

    async def names(self, name: str | None) -> set[str]:
        return {value for _, value in (await self.certificate(name))["subjectAltName"]}


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[World]:
    await world.gateway.load("start")
    plan = world.gateway.current.plan.server
    listener = Listener(world.gateway.make_adapter(), max_line=8190, settings=lambda: plan)
    _, world.port = await listener.open_on(bind("127.0.0.1", 0), world.gateway.make_entrance())
    try:
        yield world
    finally:
        await listener.close(1)
        await world.gateway.close()


async def ask(world: World, session: ClientSession) -> Any:
    async with session.get(f"https://localhost:{world.port}/") as response:
        return await response.json()


async def test_requests_are_answered_and_know_that_they_came_by_tls(tmp_path: Path) -> None:
    async with serving(World(tmp_path)) as world, ClientSession(connector=TCPConnector(ssl=world.client())) as session:
        assert await ask(world, session) == {"scheme": "https"}


@pytest.mark.parametrize(
    "name,wanted",
    [
        ("localhost", "localhost"),
        ("two.example", "two.example"),
        ("a.two.example", "two.example"),
        ("other.example", "localhost"),
    ],
)
async def test_a_client_gets_the_certificate_of_the_name_that_it_asks_for(
    name: str, wanted: str, tmp_path: Path
) -> None:
    async with serving(World(tmp_path)) as world:
        assert wanted in await world.names(name)


async def test_a_renewed_certificate_is_taken_by_a_reload_and_open_connections_stay(tmp_path: Path) -> None:
    async with serving(World(tmp_path)) as world, ClientSession(connector=TCPConnector(ssl=world.client())) as session:
        await ask(world, session)
        before = await world.certificate("localhost")
        world.issue("one", "localhost")
        await world.gateway.load("test")
        after = await world.certificate("localhost")
        assert before["serialNumber"] != after["serialNumber"]
        assert await ask(world, session) == {"scheme": "https"}
        assert session.connector is not None
        assert len(session.connector._conns) == 1  # type: ignore[attr-defined]


async def test_a_certificate_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    async with serving(World(tmp_path)) as world:
        before = await world.certificate("localhost")
        (tmp_path / "one.pem").write_text("nothing")
        with pytest.raises(Exception, match="1 problem"):
            await world.gateway.load("test")
        (problem,) = world.gateway.state.problems
        assert (problem.code, problem.span.line) == ("bad-tls", 7)
        assert await world.certificate("localhost") == before


@pytest.mark.parametrize("more,version", [("", "TLSv1_1"), ("min_version: '1.3'", "TLSv1_2")])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
async def test_older_versions_are_refused(more: str, version: str, tmp_path: Path) -> None:
    async with serving(World(tmp_path, more)) as world:
        context = world.client()
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await world.certificate("localhost", context)


async def test_a_client_without_a_certificate_is_refused_where_one_is_demanded(tmp_path: Path) -> None:
    async with serving(World(tmp_path, "client_ca: client_ca.pem")) as world:
        async with ClientSession(connector=TCPConnector(ssl=world.client())) as session:
            with pytest.raises(ClientError):
                await ask(world, session)
        known = world.client()
        world.ca.issue_cert("me@example.com").configure_cert(known)
        async with ClientSession(connector=TCPConnector(ssl=known)) as session:
            assert await ask(world, session) == {"scheme": "https"}
        stranger = world.client()
        trustme.CA().issue_cert("me@example.com").configure_cert(stranger)
        async with ClientSession(connector=TCPConnector(ssl=stranger)) as session:
            with pytest.raises(ClientError):
                await ask(world, session)


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01", b""])
async def test_what_is_no_handshake_or_too_slow_a_one_is_cut_off(sent: bytes, tmp_path: Path) -> None:
    async with serving(World(tmp_path)) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(sent)
        async with asyncio.timeout(5):
            heard = await reader.read()
        assert b"HTTP" not in heard
        writer.close()
        assert "localhost" in await world.names("localhost")


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_who_comes_without_tls_is_sent_to_it(workers: str, tmp_path: Path, start_gateway: Any) -> None:
    world = World(tmp_path)
    arguments = ["--redirect-port", "0", "--workers", workers]
    process = await start_gateway(tmp_path / "routes.yaml", *arguments)
    assert process.url.startswith("https://")
    record = await process.wait_for("redirecting from")
    plain = record["message"].split()[-1].replace("127.0.0.1", "localhost")
    secure = process.url.replace("127.0.0.1", "localhost")
    async with ClientSession(connector=TCPConnector(ssl=world.client())) as session:
        async with session.get(f"{plain}/?a=b", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (308, f"{secure}/?a=b")
        async with session.get(f"{plain}/") as response:
            assert await response.json() == {"scheme": "https"}
    assert await process.end() == 0


async def test_there_is_nothing_to_be_sent_to_without_tls(tmp_path: Path, start_gateway: Any) -> None:
    (tmp_path / "routes.yaml").write_text("version: 1\nroutes: []\n")
    process = await start_gateway(tmp_path / "routes.yaml", "--redirect-port", "0", listens=False)
    assert await process.wait() == 2
    assert "--redirect-port" in process.other_lines[-1]


MUTUAL = """
version: 1
server:
  tls: {certificates: [{cert: one.pem}], client_ca: client_ca.pem, client_auth: optional}
auth:
  machines: {type: mtls, subject: email}
  keys: {type: api_key, keys: {k: {secret: the-key}}}
routes:
  - {name: me, match: GET /me, auth: [machines, keys], reply: {body: [$.claims.sub]}}
  - {name: only, match: GET /only, auth: machines, allow: "claims.email == ['ann@example.com']", reply: {body: [in]}}
  - {name: open, match: GET /open, reply: {body: {cert: $.client.cert.serial}}}
"""


async def test_a_certificate_says_who_asks_and_other_credentials_do_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "routes.yaml").write_text(MUTUAL)
    async with serving(world):

        async def get(path: str, context: ssl.SSLContext, **headers: str) -> tuple[int, Any]:
            async with (
                ClientSession(connector=TCPConnector(ssl=context)) as session,
                session.get(f"https://localhost:{world.port}{path}", headers=headers) as response,
            ):
                return response.status, await response.json(content_type=None)

        ann, bob = world.client(), world.client()
        world.ca.issue_cert("ann@example.com").configure_cert(ann)
        world.ca.issue_cert("bob@example.com").configure_cert(bob)
        nobody = world.client()
        assert await get("/me", ann) == (200, ["ann@example.com"])
        assert await get("/me", nobody, **{"X-API-Key": "the-key"}) == (200, ["k"])
        status, problem = await get("/me", nobody)
        assert (status, problem["code"]) == (401, "unauthorized")
        assert (await get("/only", ann))[0] == 200
        assert (await get("/only", bob))[0] == 403
        assert (await get("/open", nobody))[1] == {"cert": None}
        assert len((await get("/open", bob))[1]["cert"]) > 10
        stranger = world.client()
        trustme.CA().issue_cert("ann@example.com").configure_cert(stranger)
        with pytest.raises(ClientError):
            await get("/open", stranger)


FRONTED = """
version: 1
server: {proxy_protocol: true, trusted_proxies: [127.0.0.1], tls: {certificates: [{cert: one.pem}]}}
routes:
  - {name: who, match: GET /, ip: {allow: [192.0.2.0/24]}, reply: {body: {ip: $.client.ip, s: $.request.scheme}}}
"""


async def test_a_header_of_the_front_comes_before_tls(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "routes.yaml").write_text(FRONTED)

    async def ask(address: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(f"PROXY TCP4 {address} 10.0.0.1 4711 443\r\n".encode())
        await writer.start_tls(world.client(), server_hostname="localhost")
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n")
        try:
            return await reader.read()
        finally:
            writer.close()

    async with serving(world):
        assert b'{"ip":"192.0.2.7","s":"https"}' in await ask("192.0.2.7")
        assert b" 403 " in await ask("198.51.100.1")
