"""Pass-through with real sockets: what comes is sent on at once, and nobody's body is kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.events import Event, RequestFinished
from proxy.gateway import Gateway
from proxy.server.listener import Listener

CONFIG = """
version: 1
upstreams: {up: {urls: ["http://127.0.0.1:PORT"], timeouts: {idle: 5s}}}
routes: [{name: pass, match: "/{rest:path}", timeout: 5s, max_body: 1GiB, proxy: up}]
"""
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Upstream:
    """Reads a head, does what the test says, and knows when the gateway has hung up."""

    def __init__(self, behave: Behave) -> None:
        self.behave = behave
        self.heads: list[bytes] = []
        self.closed = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            await self.behave(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            writer.close()


class Running:
    """A gateway before one upstream, and who connects to it."""

    def __init__(self, upstream: Upstream, gateway: Gateway, listener: Listener, address: tuple[str, int]) -> None:
        self.upstream = upstream
        self.gateway = gateway
        self.listener = listener
        self.address = address
        self.events: list[Event] = []
        self.finished = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    def observe(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, RequestFinished):
            self.finished.set()

    async def ask(self, data: bytes, limit: int = 65536) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address, limit=limit)
        self.writers.append(writer)
        writer.write(data)
        return reader, writer

    async def seen(self) -> RequestFinished:
        """What is told of the one request when it has ended."""
        await soon(self.finished.wait())
        return next(event for event in self.events if isinstance(event, RequestFinished))


async def soon(waiting: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(waiting, 10)


@pytest.fixture
def running(tmp_path: Path) -> Any:
    @asynccontextmanager
    async def run(behave: Behave, config: str = CONFIG) -> AsyncIterator[Running]:
        upstream = Upstream(behave)
        server = await asyncio.start_server(upstream, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        (tmp_path / "routes.yaml").write_text(config.replace("PORT", str(port)))
        told: list[Running] = []
        gateway = Gateway(tmp_path / "routes.yaml", [lambda event: told[0].observe(event) if told else None])
        await gateway.load("start")
        listener = Listener(gateway.make_adapter(), max_line=8190)
        one = Running(upstream, gateway, listener, await listener.open("127.0.0.1", 0))
        told.append(one)
        async with server:
            try:
                yield one
            finally:
                for writer in one.writers:
                    writer.close()
                await listener.close(1)
                await gateway.close()

    return run


GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_events_come_one_by_one(running: Any) -> None:
    received = asyncio.Queue[bytes]()

    async def events(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            event = b"data: %d\n\n" % number
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            assert await received.get() == event  # the next one only when the client has this one
        writer.write(b"0\r\n\r\n")

    async with running(events) as one:
        reader, _ = await one.ask(GET)
        assert b"text/event-stream" in await soon(reader.readuntil(b"\r\n\r\n"))
        for number in range(5):
            await soon(reader.readuntil(b"\r\n"))
            event = await soon(reader.readuntil(b"\n\n"))
            assert event == b"data: %d\n\n" % number
            await soon(reader.readuntil(b"\r\n"))
            received.put_nowait(event)
        assert await soon(reader.readuntil(b"\r\n\r\n")) == b"0\r\n\r\n"
        finished = await one.seen()
        assert (finished.response.status, finished.response.size, finished.response.error) == (200, 45, None)


@pytest.mark.parametrize("begun", [b"", CHUNKED + b"2\r\nab\r\n"])
async def test_a_client_that_goes_away_closes_the_upstreams_connection_at_once(begun: bytes, running: Any) -> None:
    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        asked.set()
        assert await reader.read() == b""

    asked = asyncio.Event()
    async with running(begin) as one:
        reader, writer = await one.ask(GET)
        await soon(asked.wait())
        if begun:
            await soon(reader.readuntil(b"ab\r\n"))
        writer.close()
        await soon(one.upstream.closed.wait())
        finished = await one.seen()
        assert finished.response.status == (200 if begun else 499)
        assert finished.response.error == ("client_gone" if begun else None)


@pytest.mark.parametrize(
    "head,body", [(CHUNKED, b"2\r\nab\r\n"), (OK + b"Content-Length: 9\r\n\r\n", b"ab")], ids=["chunked", "length"]
)
async def test_an_upstream_that_breaks_off_is_an_abort_to_the_client(head: bytes, body: bytes, running: Any) -> None:
    go_on = asyncio.Event()

    async def breaks_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await go_on.wait()
        writer.write(body)

    async with running(breaks_off) as one:
        reader, _ = await one.ask(GET)
        assert (await soon(reader.readuntil(b"\r\n\r\n"))).startswith(b"HTTP/1.1 200 OK")
        go_on.set()
        assert await soon(reader.read()) == body  # and no last chunk
        assert (await one.seen()).response.error == "upstream_invalid"


async def test_an_old_client_sees_the_abort_of_an_answer_without_length_too(running: Any) -> None:
    go_on = asyncio.Event()

    async def breaks_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        await go_on.wait()

    async with running(breaks_off) as one:
        reader, _ = await one.ask(b"GET /x HTTP/1.0\r\nHost: a\r\n\r\n")
        await soon(reader.readuntil(b"\r\n\r\n"))
        go_on.set()
        with pytest.raises(ConnectionResetError):
            await soon(reader.read())


async def test_an_upstream_that_pauses_too_long_is_an_abort(running: Any) -> None:
    async def pause(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"2\r\nab\r\n")
        await reader.read()

    async with running(pause, CONFIG.replace("idle: 5s", "idle: 50ms")) as one:
        reader, _ = await one.ask(GET)
        await soon(reader.readuntil(b"\r\n\r\n"))
        assert await soon(reader.read()) == b"2\r\nab\r\n"
        assert (await one.seen()).response.error == "upstream_timeout"


async def test_chunks_go_up_and_down_at_the_same_time(running: Any) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        while (line := await reader.readuntil(b"\r\n")) != b"0\r\n":
            writer.write(line + await reader.readexactly(int(line, 16) + 2))
        await reader.readexactly(2)
        writer.write(b"0\r\n\r\n")

    async with running(echo) as one:
        reader, writer = await one.ask(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"one", b"two", b"six"):
            writer.write(b"3\r\n" + piece + b"\r\n")
            await soon(reader.readuntil(b"3\r\n" + piece + b"\r\n"))
        writer.write(b"0\r\n\r\n")
        assert await soon(reader.readuntil(b"0\r\n\r\n"))
        assert b"Transfer-Encoding: chunked" in one.upstream.heads[0]
        assert (await one.seen()).response.size == 9


TOTAL = 256 * 1024 * 1024
# What kernels and the gateway together may hold of a body that nobody reads.
HELD = 24 * 1024 * 1024


async def test_a_client_that_reads_slowly_makes_the_upstream_wait(running: Any) -> None:
    accepted = 0

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % TOTAL)
        piece = bytes(256 * 1024)
        while accepted < TOTAL:
            writer.write(piece)
            await writer.drain()
            accepted += len(piece)

    async with running(pour) as one:
        reader, writer = await one.ask(GET)
        await soon(reader.readuntil(b"\r\n\r\n"))
        for taken in range(0, 256 * 1024 * 40, 256 * 1024):
            await soon(reader.readexactly(256 * 1024))
            assert accepted - taken < HELD
        assert accepted > 0
        writer.transport.abort()
        await soon(one.upstream.closed.wait())
        assert accepted < TOTAL


async def test_an_upstream_that_reads_slowly_makes_the_client_wait(running: Any) -> None:
    go_on, sent = asyncio.Event(), 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for taken in range(0, 65536 * 100, 65536):
            await reader.readexactly(65536)
            assert sent - taken < HELD
        writer.write(b"HTTP/1.1 413 Enough\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await go_on.wait()

    async with running(slow) as one:
        reader, writer = await one.ask(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % TOTAL)

        async def pour() -> None:
            nonlocal sent
            while sent < TOTAL:
                writer.write(bytes(65536))
                await writer.drain()
                sent += 65536

        pouring = asyncio.get_running_loop().create_task(pour())
        head = await soon(reader.readuntil(b"\r\n\r\n"))
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)
        go_on.set()
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"Connection: close" in head
        assert sent < TOTAL


async def test_a_body_goes_on_as_it_comes_and_the_client_is_asked_for_it(running: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.set_result(await reader.readexactly(5))
        await reader.readexactly(99_995)
        writer.write(OK + b"Content-Length: 0\r\n\r\n")

    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with running(answer) as one:
        head = b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n"
        reader, writer = await one.ask(head)
        assert await soon(reader.readuntil(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"first")
        assert await soon(got) == b"first"
        writer.write(bytes(99_995))
        assert (await soon(reader.readuntil(b"\r\n\r\n"))).startswith(b"HTTP/1.1 200 ")
        assert b"Content-Length: 100000" in one.upstream.heads[0]
        assert b"Expect" not in one.upstream.heads[0]


@pytest.mark.parametrize("leaves", [True, False], ids=["the client leaves", "the framing breaks"])
async def test_a_body_that_breaks_off_is_never_whole_to_the_upstream(leaves: bool, running: Any) -> None:
    async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readexactly(7)
        begun.set()
        got.set_result(await reader.read())

    begun = asyncio.Event()
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with running(read) as one:
        reader, writer = await one.ask(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        await soon(begun.wait())
        if leaves:
            writer.close()
        else:
            writer.write(b"zz\r\n")
            assert (await soon(reader.read())).startswith(b"HTTP/1.1 400 ")
        assert await soon(got) == b""  # an end, but no last chunk
        assert (await one.seen()).response.status == (499 if leaves else 400)


async def test_a_body_over_the_limit_is_cut_off_and_refused(running: Any) -> None:
    async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with running(read, CONFIG.replace("1GiB", "10B")) as one:
        reader, writer = await one.ask(
            b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"
        )
        while not one.upstream.heads:
            await asyncio.wait([asyncio.get_running_loop().create_task(asyncio.sleep(0))])
        writer.write(b"6\r\n123456\r\n")
        head = await soon(reader.readuntil(b"\r\n\r\n"))
        assert head.startswith(b"HTTP/1.1 413 ")
        await soon(one.upstream.closed.wait())


async def test_hints_trailers_and_ranges_pass(running: Any) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        writer.write(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nTrailer: X-Sum\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\n\r\n")

    async with running(answer) as one:
        reader, _ = await one.ask(
            b'GET /x HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nIf-Range: "e"\r\nTE: trailers\r\n\r\n'
        )
        hints = await soon(reader.readuntil(b"\r\n\r\n"))
        assert hints == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        head = await soon(reader.readuntil(b"\r\n\r\n"))
        assert b"Content-Range: bytes 0-1/9\r\n" in head
        assert b"Trailer: X-Sum\r\n" in head
        assert await soon(reader.readuntil(b"\r\n\r\n")) == b"2\r\nab\r\n0\r\nX-Sum: 7\r\n\r\n"
        assert b"Range: bytes=0-1\r\n" in one.upstream.heads[0]
        assert b"TE: trailers\r\nConnection: TE\r\n" in one.upstream.heads[0]


async def test_a_reload_leaves_a_streamed_answer_its_connection(running: Any, tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def two_pieces(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"3\r\none\r\n")
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with running(two_pieces) as one:
        reader, _ = await one.ask(GET)
        await soon(reader.readuntil(b"one\r\n"))
        text = (tmp_path / "routes.yaml").read_text()
        (tmp_path / "routes.yaml").write_text(text.replace("idle: 5s", "idle: 6s"))  # another plan, another client
        old = one.gateway.current
        assert (await one.gateway.load("again")) is not old
        go_on.set()
        assert await soon(reader.readuntil(b"0\r\n\r\n")) == b"3\r\ntwo\r\n0\r\n\r\n"
        assert (await one.seen()).generation == 1


async def test_a_stop_waits_for_a_streamed_answer(running: Any) -> None:
    go_on = asyncio.Event()

    async def two_pieces(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"3\r\none\r\n")
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with running(two_pieces) as one:
        reader, _ = await one.ask(GET)
        await soon(reader.readuntil(b"one\r\n"))
        closing = asyncio.get_running_loop().create_task(one.listener.close(10))
        await asyncio.sleep(0)
        assert not closing.done()
        go_on.set()
        assert await soon(reader.read()) == b"3\r\ntwo\r\n0\r\n\r\n"
        assert await soon(closing)
