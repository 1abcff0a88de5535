import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random

from proxy.plan.upstreams import Endpoint, HealthPlan, UpstreamPlan
from proxy.upstream.health import check_forever

HEALTH = HealthPlan(path="/healthz?deep", interval_s=0.001, timeout_s=0.5, passes=1, fails=1, statuses=frozenset({200}))
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def checks(
    plan: UpstreamPlan, serve: Serve, count: int = 2, health: HealthPlan = HEALTH
) -> list[tuple[bool, str]]:
    """What is told of the first checks of an endpoint."""
    told: list[tuple[bool, str]] = []
    enough = asyncio.Event()

    def checked(passed: bool, reason: str) -> None:
        told.append((passed, reason))
        if len(told) == count:
            enough.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    endpoint = Endpoint("http", "127.0.0.1", server.sockets[0].getsockname()[1], base_path="/v1")
    checking = asyncio.get_running_loop().create_task(check_forever(plan, health, endpoint, None, Random(1), checked))
    async with asyncio.timeout(10):
        await enough.wait()
    checking.cancel()
    await asyncio.wait([checking])
    server.close()
    return told[:count]


def answering(status: int, heads: list[bytes]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 9999\r\n\r\nbegins" % status)
        await writer.drain()
        writer.close()

    return serve


async def test_a_status_that_is_wanted_is_a_pass_and_the_body_is_not_waited_for(upstream_plan: UpstreamPlan) -> None:
    heads: list[bytes] = []
    assert [passed for passed, _ in await checks(upstream_plan, answering(200, heads))] == [True, True]
    assert heads[0].startswith(b"GET /healthz?deep HTTP/1.1\r\n")  # from the root, whatever the URL's path
    assert b"\r\nUser-Agent: proxy-composer\r\n" in heads[0]


async def test_another_status_is_none(upstream_plan: UpstreamPlan) -> None:
    (told, _) = await checks(upstream_plan, answering(204, []))
    assert told == (False, "a check was answered with status 204")


async def test_the_host_is_the_upstreams_own(upstream_plan: UpstreamPlan) -> None:
    heads: list[bytes] = []
    await checks(replace(upstream_plan, host="shop.internal"), answering(200, heads))
    assert b"\r\nHost: shop.internal\r\n" in heads[0]


async def test_an_endpoint_that_breaks_off_does_not_pass(upstream_plan: UpstreamPlan) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    assert [passed for passed, _ in await checks(upstream_plan, serve)] == [False, False]


async def test_an_endpoint_that_says_nothing_does_not_pass_in_time(upstream_plan: UpstreamPlan) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    told = await checks(upstream_plan, serve, 1, replace(HEALTH, timeout_s=0.02))
    assert [passed for passed, _ in told] == [False]
