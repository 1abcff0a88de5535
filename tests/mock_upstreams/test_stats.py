import asyncio
from typing import Any

from aiohttp import web

from mock_upstreams.stats import STATS, add_stats
from mock_upstreams.users import make_app


async def test_requests_are_counted_by_path_but_for_those_about_the_mock(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    for path in ("/users/1", "/users/1", "/users/2", "/healthz", "/_stats"):
        await client.get(path)
    stats = await (await client.get("/_stats")).json()
    assert stats == {"requests": 3, "by_path": {"GET /users/1": 2, "GET /users/2": 1}, "max_concurrent": 1}


async def test_counts_can_be_begun_anew(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    await client.get("/users/1")
    assert (await client.delete("/_stats")).status == 204
    assert (await (await client.get("/_stats")).json())["requests"] == 0


async def test_healthz_is_ok(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    assert (await client.get("/healthz")).status == 200


async def test_the_most_that_were_under_way_at_once_are_told(aiohttp_client: Any) -> None:
    app = web.Application()
    add_stats(app)
    both = asyncio.Barrier(2)

    async def meet(request: web.Request) -> web.Response:
        await both.wait()
        return web.Response()

    app.router.add_get("/meet", meet)
    client = await aiohttp_client(app)
    await asyncio.wait_for(asyncio.gather(client.get("/meet"), client.get("/meet")), 10)
    assert (await (await client.get("/_stats")).json())["max_concurrent"] == 2
    assert app[STATS].concurrent == 0


async def test_a_request_that_fails_is_counted_and_not_under_way_any_more(aiohttp_client: Any) -> None:
    app = make_app()
    client = await aiohttp_client(app)
    await client.get("/users/1", headers={"X-Fault": "status=503"})
    assert (app[STATS].by_path, app[STATS].concurrent) == ({"GET /users/1": 1}, 0)
