import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from multidict import CIMultiDict

from proxy.errors import GatewayError, UpstreamTimeout, UpstreamUnreachable
from proxy.loading import load
from proxy.plan.upstreams import TlsPlan
from proxy.tls import Certificates, UnusableFile, make_context, read_files
from proxy.upstream.client import UpstreamClient
from proxy.upstream.exchange import UpstreamRequest


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ours = authority.issue_cert("gateway.example")
    (tmp_path / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in ours.cert_chain_pems))
    ours.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "junk.pem").write_text("junk")
    return tmp_path


@pytest.mark.parametrize(
    "plan,key",
    [
        ({"ca": "none.pem"}, "ca"),
        ({"ca": "junk.pem"}, "ca"),
        ({"ca": "no\0file"}, "ca"),
        ({"cert": "none.pem", "key": "key.pem"}, "cert"),
        ({"cert": "cert.pem", "key": "none.pem"}, "key"),
        ({"cert": "cert.pem", "key": "junk.pem"}, "key"),
        ({"cert": "junk.pem"}, "cert"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(plan: dict[str, str], key: str, files: Path) -> None:
    found, _ = read_files(TlsPlan(**plan), str(files))  # type: ignore[arg-type]
    with pytest.raises(UnusableFile) as failed:
        make_context(found)
    assert failed.value.key == key


def test_the_stamp_is_that_of_the_contents(files: Path) -> None:
    first, contents = read_files(TlsPlan(ca="ca.pem", cert="none.pem"), str(files))
    assert contents == {str(files / "ca.pem"): (files / "ca.pem").read_bytes(), str(files / "none.pem"): None}
    assert read_files(TlsPlan(ca="ca.pem", cert="none.pem"), str(files))[0] == first
    (files / "ca.pem").write_text("other")
    assert read_files(TlsPlan(ca="ca.pem", cert="none.pem"), str(files))[0] != first


def test_without_a_plan_the_systems_authorities_are_trusted() -> None:
    context = make_context(None)
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


CONFIG = """
version: 1
upstreams:
  up: {{urls: ["https://127.0.0.1:{port}"], tls: {tls}, timeouts: {{connect: {connect}}}}}
routes: [{{name: pass, match: /, proxy: up}}]
"""


@asynccontextmanager
async def asking(
    files: Path, authority: trustme.CA, tls: str, *, name: str = "127.0.0.1", mutual: bool = False, connect: str = "5s"
) -> AsyncIterator[Callable[[], Any]]:
    """A server of HTTPS with a certificate for `name`, and a way to ask it as `tls` says."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if mutual:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    serving: set[Any] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            await writer.start_tls(context)
            await reader.readuntil(b"\r\n\r\n")
            chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol().encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(chosen), chosen))
            await reader.read()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            await hang_up(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (files / "routes.yaml").write_text(CONFIG.format(port=port, tls=tls, connect=connect))
    loaded = load(str(files / "routes.yaml"), {})
    assert loaded.plan is not None, loaded.problems
    client = UpstreamClient(loaded.plan.upstreams["up"])

    async def ask() -> bytes:
        request = UpstreamRequest(method="GET", target="/", headers=CIMultiDict(), body=None, max_body=100)
        try:
            return (await client.send(request)).body
        finally:
            await client.close()

    async with server:
        yield ask
        await asyncio.wait(serving, timeout=5)


async def test_a_certificate_of_a_trusted_authority_is_taken_and_http_1_1_agreed(
    files: Path, authority: trustme.CA
) -> None:
    async with asking(files, authority, "{ca: ca.pem}") as ask:
        assert await ask() == b"http/1.1"


async def test_a_certificate_of_another_authority_or_name_is_refused(files: Path, authority: trustme.CA) -> None:
    async with asking(files, authority, "{}") as ask:
        with pytest.raises(UpstreamUnreachable):
            await ask()
    async with asking(files, authority, "{ca: ca.pem}", name="other.example") as ask:
        with pytest.raises(UpstreamUnreachable) as failed:
            await ask()
    assert "other.example" not in failed.value.detail


async def test_the_name_may_be_another_than_that_of_the_url(files: Path, authority: trustme.CA) -> None:
    async with asking(files, authority, "{ca: ca.pem, server_name: other.example}", name="other.example") as ask:
        assert await ask() == b"http/1.1"


async def test_not_to_verify_takes_anybody(files: Path, authority: trustme.CA) -> None:
    async with asking(files, authority, "{verify: false}", name="other.example") as ask:
        assert await ask() == b"http/1.1"


async def test_an_upstream_may_ask_for_our_certificate(files: Path, authority: trustme.CA) -> None:
    ours = "{ca: ca.pem, cert: cert.pem, key: key.pem}"
    async with asking(files, authority, ours, mutual=True) as ask:
        assert await ask() == b"http/1.1"
    async with asking(files, authority, "{ca: ca.pem}", mutual=True) as ask:
        with pytest.raises(GatewayError):
            await ask()


async def test_a_handshake_has_a_time(files: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await hang_up(writer)
        closed.set()

    closed = asyncio.Event()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (files / "routes.yaml").write_text(CONFIG.format(port=port, tls="{}", connect="50ms"))
    plan = load(str(files / "routes.yaml"), {}).plan
    assert plan is not None
    client = UpstreamClient(plan.upstreams["up"])
    async with server:
        with pytest.raises(UpstreamTimeout):
            await client.send(UpstreamRequest(method="GET", target="/", headers=CIMultiDict(), body=None, max_body=100))
        await client.close()
        await asyncio.wait_for(closed.wait(), 5)


def test_a_name_gets_its_own_certificate_a_star_stands_for_one_label_and_all_others_get_the_first() -> None:
    default, named, below = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(3))
    certificates = Certificates(default, {"a.example": named}, {"b.example": below})
    picked = {name: certificates.pick(name) for name in ("a.example", "A.Example.", "x.b.example", "b.example")}
    assert list(picked.values()) == [named, named, below, default]
    assert certificates.pick("x.y.b.example") is certificates.pick(None) is default
