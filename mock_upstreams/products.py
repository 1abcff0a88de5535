"""The products service: `GET /products`, narrowed by `user_id` or by repeated `id`, and `GET /products/{id}`."""

from aiohttp import web

from mock_upstreams.documents import Row, answer, load_rows, not_found
from mock_upstreams.faults import add_faults
from mock_upstreams.stats import add_stats

ROWS = web.AppKey("rows", list[Row])


def make_app() -> web.Application:
    """A products service of its own, with its own data, faults and counts."""
    app = web.Application()
    add_stats(app)
    add_faults(app)
    app[ROWS] = load_rows("products")
    app.router.add_get("/products", list_products)
    app.router.add_get("/products/{id}", get_product)
    return app


async def list_products(request: web.Request) -> web.Response:
    rows = request.app[ROWS]
    for name in ("user_id", "id"):
        wanted = request.query.getall(name, None)
        if wanted is not None:
            rows = [row for row in rows if str(row[name]) in wanted]
    return answer(rows)


async def get_product(request: web.Request) -> web.Response:
    found = [row for row in request.app[ROWS] if str(row["id"]) == request.match_info["id"]]
    return answer(found[0]) if found else not_found("product")
