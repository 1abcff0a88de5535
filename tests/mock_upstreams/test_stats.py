from typing import Any

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
