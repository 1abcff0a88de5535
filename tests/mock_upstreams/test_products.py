from typing import Any

import pytest

from mock_upstreams.products import make_app


@pytest.mark.parametrize(
    "query,names",
    [
        ("?user_id=1", ["Laptop", "Smartphone"]),
        ("?id=2&id=1", ["Laptop", "Smartphone"]),
        ("?id=1", ["Laptop"]),
        ("?user_id=999", []),
    ],
)
async def test_products_are_narrowed(query: str, names: list[str], aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    products = await (await client.get(f"/products{query}")).json()
    assert [product["name"] for product in products] == names


async def test_a_product_is_found_by_number(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    assert (await (await client.get("/products/1")).json())["name"] == "Laptop"
    assert (await client.get("/products/999")).status == 404


async def test_both_ways_to_narrow_hold_together(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    products = await (await client.get("/products?user_id=1&id=1&id=3")).json()
    assert [(product["id"], product["user_id"]) for product in products] == [(1, 1)]
