"""The answers of the upstreams, and what right answers made of them are."""

import json
from functools import cache
from typing import Any

GIB = 1024**3
MIB = 1024**2
SLOW_S = 0.1  # how long GET /slow takes

USER = {"id": 1, "name": "Alice", "email": "alice@example.com", "phone": "+1-555-0101"}
PRODUCTS = [{"id": 1, "name": "Laptop", "price": 1299.5}, {"id": 2, "name": "Smartphone", "price": 799.5}]
ACCOUNT = {"id": 1, "name": "Alice", "team": 7, "plan": 3}
TEAM = {"team_name": "Red", "lead": "Bob", "floor": 2}
PLAN = {"plan_name": "Gold", "price": 12.5, "seats": 40}
CATALOG = [
    {
        "id": number,
        "name": f"Product {number}",
        "price": 12.5,
        "currency": "EUR",
        "stock": number % 50,
        "tags": ["new", "sale"],
        "description": f"Product {number} is of good make and comes with a cable, a manual and two years of warranty",
    }
    for number in range(1, 1001)
]
SIZES_OF_ORDERS = (1, 10, 100, 1000)


def encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


ANSWERS = {
    "/users/1": encode(USER),
    "/products?user_id=1": encode(PRODUCTS),
    "/accounts/1": encode(ACCOUNT),
    "/teams/7": encode(TEAM),
    "/plans/3": encode(PLAN),
    "/catalog": encode(CATALOG),
    "/slow?user_id=1": encode(PRODUCTS),
}


@cache
def order(lines: int) -> bytes:
    """An order with so many lines, each of another product."""
    return encode({"id": 1, "lines": [{"product": number, "n": 1} for number in range(lines)]})


@cache
def product(number: str) -> bytes:
    return b'{"id":%s,"name":"Product %s","price":12.50,"tags":["a","b"]}' % (number.encode(), number.encode())


def composite() -> dict[str, Any]:
    """The seed's composite."""
    return {
        "user_id": 1,
        "user_name": "Alice",
        "email": "alice@example.com",
        "products": [{"id": 1, "name": "Laptop"}, {"id": 2, "name": "Smartphone"}],
    }


def moved() -> dict[str, Any]:
    return {"user_id": 1, "user_name": "Alice", "products": CATALOG}


def narrowed() -> dict[str, Any]:
    products = [{"id": element["id"], "name": element["name"]} for element in CATALOG]
    return {"user_id": 1, "user_name": "Alice", "products": products}


def named_lines(lines: int) -> dict[str, Any]:
    """The order with its products' names."""
    return {"id": 1, "lines": [{"n": 1, "name": f"Product {number}"} for number in range(lines)]}
