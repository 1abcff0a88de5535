"""The seed's composite by hand: aiohttp's server, one ClientSession, gather, json. What a user would write."""

import asyncio
import os
from typing import Any

from aiohttp import ClientSession, web

USERS = os.environ.get("USERS_URL", "http://localhost:9001")
PRODUCTS = os.environ.get("PRODUCTS_URL", "http://localhost:9002")
SESSION = web.AppKey("session", ClientSession)


async def fetch(session: ClientSession, url: str) -> Any:
    async with session.get(url) as response:
        response.raise_for_status()
        return await response.json()


async def user_products(request: web.Request) -> web.Response:
    session = request.app[SESSION]
    user_id = request.match_info["user_id"]
    user, products = await asyncio.gather(
        fetch(session, f"{USERS}/users/{user_id}"), fetch(session, f"{PRODUCTS}/products?user_id={user_id}")
    )
    return web.json_response(
        {
            "user_id": user["id"],
            "user_name": user["name"],
            "email": user["email"],
            "products": [{"id": product["id"], "name": product["name"]} for product in products],
        }
    )


async def order(request: web.Request) -> web.Response:
    """An order with its products, one by one or in chunks of 50."""
    session = request.app[SESSION]
    found = await fetch(session, f"{USERS}/orders/{request.match_info['lines']}")
    ids = list(dict.fromkeys(line["product"] for line in found["lines"]))
    if request.match_info["how"] == "each":
        products = await asyncio.gather(*(fetch(session, f"{PRODUCTS}/products/{one}") for one in ids))
    else:
        chunks = ["&".join(f"id={one}" for one in ids[start : start + 50]) for start in range(0, len(ids), 50)]
        answers = await asyncio.gather(*(fetch(session, f"{PRODUCTS}/products?{chunk}") for chunk in chunks))
        products = [product for answer in answers for product in answer]
    by_id = {product["id"]: product for product in products}
    return web.json_response(
        {
            "id": found["id"],
            "lines": [{"n": line["n"], "name": by_id.get(line["product"], {}).get("name")} for line in found["lines"]],
        }
    )


async def open_session(app: web.Application) -> Any:
    async with ClientSession() as session:
        app[SESSION] = session
        yield


def make_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(open_session)
    app.router.add_get("/user-products/{user_id}", user_products)
    app.router.add_get("/orders/{how}/{lines}", order)
    return app


if __name__ == "__main__":
    import uvloop

    uvloop.install()
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8003")), access_log=None, print=None)
