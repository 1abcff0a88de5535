from typing import Any

from mock_upstreams.users import make_app


async def test_a_user_is_found_by_number(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    response = await client.get("/users/1")
    user = await response.json()
    assert (response.status, user["id"], user["name"], user["email"]) == (200, 1, "Alice", "alice@example.com")


async def test_an_unknown_user_is_404(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    assert (await client.get("/users/999")).status == 404


async def test_all_users_are_listed(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    assert len(await (await client.get("/users")).json()) > 1
