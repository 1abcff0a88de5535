import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from proxy.errors import UpstreamBusy, UpstreamUnreachable
from proxy.message import BodyStream
from proxy.plan.upstreams import Endpoint, UpstreamPlan
from proxy.upstream.exchange import UpstreamRequest
from proxy.upstream.http1.pool import Pool

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Behave = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def request(method: str = "GET") -> UpstreamRequest:
    return UpstreamRequest(method=method, target="/", headers=[], body=None, max_body=100)


class Server:
    """Runs `behave` for each connection, with its number."""

    def __init__(self, behave: Behave) -> None:
        self.behave = behave
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.behave(self.connections, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def answer_all(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)


@asynccontextmanager
async def running(plan: UpstreamPlan, behave: Behave = answer_all) -> AsyncIterator[tuple[Pool, Server]]:
    server = Server(behave)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    pool = Pool(plan, Endpoint("http", "127.0.0.1", listening.sockets[0].getsockname()[1]), None)
    async with listening:
        yield pool, server
        pool.close()


async def test_requests_after_one_another_share_a_connection(upstream_plan: UpstreamPlan) -> None:
    async with running(upstream_plan) as (pool, server):
        for _ in range(5):
            assert (await pool.send(request())).status == 200
        assert (server.connections, pool.connections) == (1, 1)


async def test_requests_at_once_have_a_connection_each_up_to_the_limit(upstream_plan: UpstreamPlan) -> None:
    async with running(replace(upstream_plan, max_connections=3, pool_s=5)) as (pool, server):
        answers = await asyncio.gather(*(pool.send(request()) for _ in range(20)))
        assert [answer.status for answer in answers] == [200] * 20
        assert server.connections == 3


async def test_whoever_waits_too_long_is_turned_away_and_nobody_else(upstream_plan: UpstreamPlan) -> None:
    let_go = asyncio.Event()

    async def hold(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await let_go.wait()
        await answer_after(reader, writer)

    async def answer_after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)

    async with running(replace(upstream_plan, max_connections=1, pool_s=0.02), hold) as (pool, server):
        held = asyncio.get_running_loop().create_task(pool.send(request()))
        await asyncio.sleep(0)
        with pytest.raises(UpstreamBusy):
            await pool.send(request())
        let_go.set()
        assert (await held).status == 200
        assert (await pool.send(request())).status == 200
        assert server.connections == 1


async def test_a_kept_connection_that_turns_out_closed_is_tried_once_more_on_a_new_one(
    upstream_plan: UpstreamPlan,
) -> None:
    async def once(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")  # the next request meets a closed connection

    async with running(upstream_plan, once) as (pool, server):
        await pool.send(request())
        assert (await pool.send(request())).status == 200
        assert server.connections == 2


async def test_a_request_that_may_not_be_repeated_is_not(upstream_plan: UpstreamPlan) -> None:
    async def once(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")

    async with running(upstream_plan, once) as (pool, server):
        await pool.send(request())
        with pytest.raises(UpstreamUnreachable):
            await pool.send(request("POST"))
        assert server.connections == 1


async def test_a_new_connection_that_closes_without_an_answer_is_not_tried_again(upstream_plan: UpstreamPlan) -> None:
    async def never(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with running(upstream_plan, never) as (pool, server):
        with pytest.raises(UpstreamUnreachable):
            await pool.send(request())
        assert server.connections == 1


@pytest.mark.parametrize("limit", [{"keepalive_s": 1e-9}, {"lifetime_s": 1e-9}])
async def test_a_connection_that_has_grown_old_is_not_used_again(
    limit: dict[str, float], upstream_plan: UpstreamPlan
) -> None:
    async with running(replace(upstream_plan, **limit)) as (pool, server):
        await pool.send(request())
        await pool.send(request())
        assert (server.connections, pool.connections) == (2, 1)


async def test_what_a_rush_left_over_is_closed_one_by_one(upstream_plan: UpstreamPlan) -> None:
    async with running(replace(upstream_plan, keepalive_s=60.0)) as (pool, _):
        await asyncio.gather(*[pool.send(request()) for _ in range(4)])
        assert pool.connections == 4
        for connection in pool._idle[:-1]:
            connection.idle_since -= 61.0
        for left in (3, 2, 1, 1):
            await pool.send(request())
            assert pool.connections == left


async def test_cancelling_closes_the_connection_and_makes_room(upstream_plan: UpstreamPlan) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def hold(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number > 1:
            await answer_all(number, reader, writer)
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        try:
            await reader.read()
        finally:
            closed.set()

    async with running(replace(upstream_plan, max_connections=1), hold) as (pool, server):
        task = asyncio.get_running_loop().create_task(pool.send(request()))
        await asked.wait()
        task.cancel()
        await asyncio.wait([task])
        await asyncio.wait_for(closed.wait(), 5)
        assert (await pool.send(request())).status == 200
        assert server.connections == 2


async def test_closing_the_pool_closes_its_connections(upstream_plan: UpstreamPlan) -> None:
    async with running(upstream_plan) as (pool, _):
        await pool.send(request())
        assert repr(pool) == "<Pool 1 open, 1 idle, 0 waiting>"
        pool.close()
        assert pool.connections == 0
        with pytest.raises(RuntimeError):
            await pool.send(request())


class Never(BodyStream):
    """A body that is never there."""

    length = None

    async def read(self) -> bytes:
        await asyncio.Event().wait()
        return b""


async def test_an_opened_answer_is_read_and_its_connection_used_again(upstream_plan: UpstreamPlan) -> None:
    async with running(upstream_plan) as (pool, server):
        for _ in range(3):
            answer = await pool.open(request())
            assert (answer.status, await answer.read(), await answer.read()) == (200, b"{}", b"")
        assert (server.connections, pool.in_flight) == (1, 0)


async def test_an_opened_answer_that_is_closed_early_makes_room(upstream_plan: UpstreamPlan) -> None:
    async def half(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK[:-1])
        assert await reader.read() == b""

    async with running(replace(upstream_plan, max_connections=1), half) as (pool, _):
        for _ in range(3):
            (await pool.open(request())).close()
        assert (pool.connections, pool.in_flight) == (0, 0)


async def test_an_opened_request_is_repeated_on_a_new_connection_only_without_a_streamed_body(
    upstream_plan: UpstreamPlan,
) -> None:
    async def once(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")

    async with running(upstream_plan, once) as (pool, server):
        await pool.open(request())
        assert (await pool.open(request())).status == 200
        assert server.connections == 2
        with pytest.raises(UpstreamUnreachable):
            await pool.open(structs.replace(request(), stream=Never()))
        await pool.open(request())
        with pytest.raises(UpstreamUnreachable):
            await pool.open(request("POST"))
        assert server.connections == 3


async def test_a_closed_pool_opens_nothing(upstream_plan: UpstreamPlan) -> None:
    async with running(upstream_plan) as (pool, _):
        pool.close()
        with pytest.raises(RuntimeError):
            await pool.open(request())


def telling() -> tuple[asyncio.Future[Any], Callable[[Any], None]]:
    told = asyncio.get_running_loop().create_future()
    return told, told.set_result


async def test_a_request_that_is_begun_tells_its_answer(upstream_plan: UpstreamPlan) -> None:
    async with running(upstream_plan) as (pool, server):
        for _ in range(2):  # on a new connection, and on one that is kept
            told, done = telling()
            pool.begin(request(), done)
            assert (await asyncio.wait_for(told, 5)).body == b"{}"
        assert server.connections == 1


async def test_a_request_that_is_begun_on_a_closed_connection_is_repeated(upstream_plan: UpstreamPlan) -> None:
    async def once(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")

    async with running(upstream_plan, once) as (pool, server):
        await pool.send(request())
        told, done = telling()
        pool.begin(request(), done)
        assert (await asyncio.wait_for(told, 5)).status == 200
        assert server.connections == 2
        told, done = telling()
        pool.begin(request("POST"), done)
        assert isinstance(await asyncio.wait_for(told, 5), UpstreamUnreachable)


async def test_a_request_that_is_begun_can_be_cancelled(upstream_plan: UpstreamPlan) -> None:
    closed = asyncio.Event()

    async def one_answer(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        await reader.read()
        closed.set()

    async with running(upstream_plan, one_answer) as (pool, _):
        await pool.send(request())
        told, done = telling()
        pool.begin(request(), done)()
        await asyncio.wait_for(closed.wait(), 5)
        assert (told.done(), pool.in_flight) == (False, 0)
