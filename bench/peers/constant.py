"""aiohttp's server answering constant bytes: what Python's fastest common server leaves for everything else."""

import os
from pathlib import Path

from aiohttp import web


def make_app(body: bytes) -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    return app


if __name__ == "__main__":
    import uvloop

    uvloop.install()
    constant = Path(os.environ["BODY"]).read_bytes()
    web.run_app(make_app(constant), host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None)
