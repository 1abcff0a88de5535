"""The routes by hand: aiohttp's server, one ClientSession, gather, json. What a user would write."""

import asyncio
import os
from typing import Any

from aiohttp import ClientSession, TCPConnector, web

UPSTREAM = os.environ["UPSTREAM"]
SESSION = web.AppKey("session", ClientSession)
_STREAM_FROM = 2 * 1024 * 1024


async def fetch(session: ClientSession, path: str) -> Any:
    async with session.get(UPSTREAM + path) as response:
        response.raise_for_status()
        return await response.json(content_type=None)


def narrow(products: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": product["id"], "name": product["name"]} for product in products]


async def user_products(request: web.Request) -> web.Response:
    session, user_id = request.app[SESSION], request.match_info["user_id"]
    user, products = await asyncio.gather(
        fetch(session, f"/users/{user_id}"), fetch(session, f"/products?user_id={user_id}")
    )
    return _composite(user, products)


async def slow(request: web.Request) -> web.Response:
    session, user_id = request.app[SESSION], request.match_info["user_id"]
    user, products = await asyncio.gather(
        fetch(session, f"/users/{user_id}"), fetch(session, f"/slow?user_id={user_id}")
    )
    return _composite(user, products)


def _composite(user: dict[str, Any], products: list[dict[str, Any]]) -> web.Response:
    return web.json_response(
        {"user_id": user["id"], "user_name": user["name"], "email": user["email"], "products": narrow(products)}
    )


async def profile(request: web.Request) -> web.Response:
    session = request.app[SESSION]
    account = await fetch(session, f"/accounts/{request.match_info['user_id']}")
    team, plan = await asyncio.gather(
        fetch(session, f"/teams/{account['team']}"), fetch(session, f"/plans/{account['plan']}")
    )
    return web.json_response({**account, **team, **plan})


async def catalog(request: web.Request) -> web.Response:
    session = request.app[SESSION]
    user, products = await asyncio.gather(
        fetch(session, f"/users/{request.match_info['user_id']}"), fetch(session, "/catalog")
    )
    if request.match_info["how"] == "narrowed":
        products = narrow(products)
    return web.json_response({"user_id": user["id"], "user_name": user["name"], "products": products})


async def order(request: web.Request) -> web.Response:
    """An order with its products, one by one or in chunks of 50."""
    session = request.app[SESSION]
    found = await fetch(session, f"/orders/{request.match_info['lines']}")
    ids = list(dict.fromkeys(line["product"] for line in found["lines"]))
    if request.match_info["how"] == "each":
        products = await asyncio.gather(*(fetch(session, f"/products/{one}") for one in ids))
    else:
        chunks = ["&".join(f"id={one}" for one in ids[start : start + 50]) for start in range(0, len(ids), 50)]
        answers = await asyncio.gather(*(fetch(session, f"/products?{chunk}") for chunk in chunks))
        products = [product for answer in answers for product in answer]
    by_id = {product["id"]: product for product in products}
    return web.json_response(
        {
            "id": found["id"],
            "lines": [{"n": line["n"], "name": by_id.get(line["product"], {}).get("name")} for line in found["lines"]],
        }
    )


async def passed_through(request: web.Request) -> web.StreamResponse:
    """Whole if it is small, in pieces if not."""
    async with request.app[SESSION].get(UPSTREAM + request.path_qs) as response:
        if (response.content_length or 0) < _STREAM_FROM:
            return web.Response(status=response.status, body=await response.read(), content_type=response.content_type)
        answer = web.StreamResponse(status=response.status)
        answer.content_length = response.content_length
        await answer.prepare(request)
        async for chunk in response.content.iter_any():
            await answer.write(chunk)
        return answer


async def open_session(app: web.Application) -> Any:
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        app[SESSION] = session
        yield


def make_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(open_session)
    app.router.add_get("/user-products/{user_id}", user_products)
    app.router.add_get("/slow/{user_id}", slow)
    app.router.add_get("/profile/{user_id}", profile)
    app.router.add_get("/catalog/{how}/{user_id}", catalog)
    app.router.add_get("/orders/{how}/{lines}", order)
    app.router.add_get("/{path:(users|files)/.*}", passed_through)
    return app


if __name__ == "__main__":
    import uvloop

    uvloop.install()
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None)
