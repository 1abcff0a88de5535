"""The users service: `GET /users`, `GET /users/{id}`."""

from aiohttp import web

from mock_upstreams.documents import Row, answer, load_rows, not_found
from mock_upstreams.faults import add_faults
from mock_upstreams.stats import add_stats

ROWS = web.AppKey("rows", list[Row])


def make_app() -> web.Application:
    """A users service of its own, with its own data, faults and counts."""
    app = web.Application()
    add_stats(app)
    add_faults(app)
    app[ROWS] = load_rows("users")
    app.router.add_get("/users", list_users)
    app.router.add_get("/users/{id}", get_user)
    return app


async def list_users(request: web.Request) -> web.Response:
    return answer(request.app[ROWS])


async def get_user(request: web.Request) -> web.Response:
    found = [row for row in request.app[ROWS] if str(row["id"]) == request.match_info["id"]]
    return answer(found[0]) if found else not_found("user")
