import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from proxy.errors import UpstreamBusy, UpstreamInvalid, UpstreamTimeout, UpstreamTooLarge, UpstreamUnreachable
from proxy.plan.upstreams import Endpoint, UpstreamPlan
from proxy.upstream.client import UpstreamClient
from proxy.upstream.exchange import UpstreamRequest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """A scripted upstream: answers every request head with `answer`, or does what `behave` says."""

    def __init__(
        self,
        answer: bytes = OK,
        behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None,
    ) -> None:
        self.answer = answer
        self.behave = behave
        self.connections = 0
        self.heads: list[bytes] = []
        self.closed = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                if self.behave is not None:
                    await self.behave(reader, writer)
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
        finally:
            writer.close()


@asynccontextmanager
async def running(server: Server, plan: UpstreamPlan) -> AsyncIterator[UpstreamClient]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    endpoint = replace(plan.endpoints[0], port=server.port)
    client = UpstreamClient(replace(plan, endpoints=(endpoint,)))
    async with listening:
        try:
            yield client
        finally:
            await client.close()
            for writer in server.writers:
                writer.transport.abort()  # from Python 3.12 on the server would wait for those that never answer


def request(target: str = "/", method: str = "GET", body: bytes | None = None, max_body: int = 100) -> UpstreamRequest:
    return UpstreamRequest(method=method, target=target, headers=[], body=body, max_body=max_body)


async def test_an_answer_is_read_whole(upstream_plan: UpstreamPlan) -> None:
    async with running(Server(), upstream_plan) as client:
        response = await client.send(request())
    assert (response.status, response.body) == (200, b"{}")


async def test_what_is_sent_is_the_target_as_given_and_no_header_of_our_own(upstream_plan: UpstreamPlan) -> None:
    server = Server()
    plan = replace(upstream_plan, endpoints=(Endpoint("http", "127.0.0.1", 0, "/base"),))
    async with running(server, plan) as client:
        await client.send(request("/a%2Fb/%7E?x=%zz&y=a+b"))
    assert server.heads == [
        f"GET /base/a%2Fb/%7E?x=%zz&y=a+b HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    ]


async def test_a_connection_is_used_again(upstream_plan: UpstreamPlan) -> None:
    server = Server()
    async with running(server, upstream_plan) as client:
        for _ in range(5):
            await client.send(request())
    assert server.connections == 1


async def test_endpoints_are_used_in_turn(upstream_plan: UpstreamPlan) -> None:
    one, two = Server(), Server()
    async with running(one, upstream_plan) as first, running(two, upstream_plan) as second:
        endpoints = (*first.plan.endpoints, *second.plan.endpoints)
        both = UpstreamClient(replace(upstream_plan, endpoints=endpoints, balance="round_robin"))
        for _ in range(4):
            await both.send(request())
        await both.close()
    assert (len(one.heads), len(two.heads)) == (2, 2)


async def test_a_redirect_is_an_answer(upstream_plan: UpstreamPlan) -> None:
    server = Server(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
    async with running(server, upstream_plan) as client:
        assert (await client.send(request())).status == 302
    assert len(server.heads) == 1


async def test_cookies_are_not_kept(upstream_plan: UpstreamPlan) -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
    async with running(server, upstream_plan) as client:
        await client.send(request())
        await client.send(request())
    assert b"Cookie" not in server.heads[1]


async def test_nobody_there_is_unreachable_and_the_address_is_internal(upstream_plan: UpstreamPlan) -> None:
    async with running(Server(), upstream_plan) as client:
        gone = client.plan
    client = UpstreamClient(gone)
    with pytest.raises(UpstreamUnreachable) as failed:
        await client.send(request())
    await client.close()
    assert "127.0.0.1" not in failed.value.detail
    assert "127.0.0.1" in failed.value.internal


async def test_a_name_that_does_not_resolve_is_unreachable(upstream_plan: UpstreamPlan) -> None:
    client = UpstreamClient(replace(upstream_plan, endpoints=(Endpoint("http", "no-such-host.invalid", 80),)))
    with pytest.raises((UpstreamUnreachable, UpstreamTimeout)):
        await client.send(request())
    await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_an_answer_that_breaks_http_is_invalid(answer: bytes, upstream_plan: UpstreamPlan) -> None:
    async with running(Server(answer), upstream_plan) as client:
        with pytest.raises(UpstreamInvalid):
            await client.send(request())


async def test_a_body_that_ends_early_is_invalid(upstream_plan: UpstreamPlan) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
        await writer.drain()
        raise ConnectionResetError

    async with running(Server(behave=hang_up), upstream_plan) as client:
        with pytest.raises(UpstreamInvalid):
            await client.send(request())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + b"x" * 101 + b"\r\n65\r\n",
    ],
)
async def test_a_body_over_the_limit_is_refused_and_what_is_left_of_it_meets_no_other_request(
    answer: bytes, upstream_plan: UpstreamPlan
) -> None:
    server = Server(answer)
    async with running(server, upstream_plan) as client:
        with pytest.raises(UpstreamTooLarge):
            await client.send(request())
        server.answer = OK
        assert (await client.send(request())).body == b"{}"
    assert server.connections == 2


async def test_the_first_byte_has_a_time_of_its_own(upstream_plan: UpstreamPlan) -> None:
    async def never(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with running(Server(behave=never), replace(upstream_plan, connect_s=0.02, first_byte_s=0.02)) as client:
        with pytest.raises(UpstreamTimeout) as failed:
            await client.send(request())
    assert "begin" in failed.value.detail


async def test_a_pause_within_the_body_has_a_time_of_its_own(upstream_plan: UpstreamPlan) -> None:
    async def pause(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
        await asyncio.Event().wait()

    async with running(Server(behave=pause), replace(upstream_plan, idle_s=0.02)) as client:
        with pytest.raises(UpstreamTimeout) as failed:
            await client.send(request())
    assert "paused" in failed.value.detail


async def test_more_than_max_connections_wait_and_then_are_turned_away(upstream_plan: UpstreamPlan) -> None:
    let_go = asyncio.Event()

    async def hold(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await let_go.wait()

    async with running(Server(behave=hold), replace(upstream_plan, max_connections=1)) as client:
        held = asyncio.get_running_loop().create_task(client.send(request()))
        await asyncio.sleep(0)
        with pytest.raises(UpstreamBusy):
            await client.send(request())
        let_go.set()
        assert (await held).status == 200
        assert (await client.send(request())).status == 200


async def test_cancelling_closes_the_connection(upstream_plan: UpstreamPlan) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.set()
        assert await reader.read() == b""
        closed.set()

    async with running(Server(behave=hold), upstream_plan) as client:
        task = asyncio.get_running_loop().create_task(client.send(request()))
        await asked.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert client.in_flight == 0
        await asyncio.wait_for(closed.wait(), 5)


def test_a_client_says_what_it_is_doing(upstream_plan: UpstreamPlan) -> None:
    async def look() -> str:
        client = UpstreamClient(upstream_plan)
        try:
            return repr(client)
        finally:
            await client.close()

    assert asyncio.run(look()) == "<Upstream u: 1 endpoints, 0 in flight>"


async def test_a_connection_that_closes_without_an_answer_is_unreachable(upstream_plan: UpstreamPlan) -> None:
    async def hang_up(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        raise ConnectionResetError

    async with running(Server(behave=hang_up), upstream_plan) as client:
        with pytest.raises(UpstreamUnreachable):
            await client.send(request())


async def test_a_host_that_the_request_brings_is_kept(upstream_plan: UpstreamPlan) -> None:
    server = Server()
    async with running(server, upstream_plan) as client:
        named = request()
        named.headers.append(("Host", "api.example"))
        await client.send(named)
    assert server.heads == [b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"]


async def test_a_body_of_exactly_the_limit_is_taken(upstream_plan: UpstreamPlan) -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100)
    async with running(server, upstream_plan) as client:
        assert (await client.send(request(max_body=100))).body == b"x" * 100


async def test_an_answer_to_head_may_speak_of_a_length_over_the_limit(upstream_plan: UpstreamPlan) -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    async with running(server, upstream_plan) as client:
        response = await client.send(request(method="HEAD"))
    assert (response.headers["Content-Length"], response.body) == ("5000", b"")


async def test_a_coding_is_left_as_the_upstream_made_it(upstream_plan: UpstreamPlan) -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b!")
    async with running(server, upstream_plan) as client:
        assert (await client.send(request())).body == b"\x1f\x8b!"


async def test_a_cancelled_request_gives_its_connection_to_the_next(upstream_plan: UpstreamPlan) -> None:
    asked = asyncio.Event()

    async def hold_the_first(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        if not asked.is_set():
            asked.set()
            await reader.read()
            raise ConnectionResetError

    async with running(Server(behave=hold_the_first), replace(upstream_plan, max_connections=1)) as client:
        task = asyncio.get_running_loop().create_task(client.send(request()))
        await asked.wait()
        task.cancel()
        await asyncio.wait([task])
        assert (await client.send(request())).status == 200


async def test_closing_the_client_closes_the_connections_that_it_kept(upstream_plan: UpstreamPlan) -> None:
    server = Server()
    async with running(server, upstream_plan) as client:
        await client.send(request())
        assert not server.closed.is_set()
        await client.close()
        await asyncio.wait_for(server.closed.wait(), 5)
