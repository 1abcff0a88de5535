"""Counts what a service served: `GET /_stats`, `DELETE /_stats`. Its own endpoints are not counted."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Stats:
    """Requests by method and path, and the most that were under way at once."""

    by_path: Counter[str] = field(default_factory=Counter)
    concurrent: int = 0
    max_concurrent: int = 0

    def reset(self) -> None:
        self.by_path.clear()
        self.max_concurrent = self.concurrent


STATS = web.AppKey("stats", Stats)


def is_own(path: str) -> bool:
    """Whether a path is about the mock itself."""
    return path.startswith("/_") or path == "/healthz"


def add_stats(app: web.Application) -> None:
    app[STATS] = Stats()
    app.middlewares.append(_count)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/_stats", get_stats)
    app.router.add_delete("/_stats", reset_stats)


@web.middleware
async def _count(request: web.Request, handler: Handler) -> web.StreamResponse:
    if is_own(request.path):
        return await handler(request)
    stats = request.app[STATS]
    stats.by_path[f"{request.method} {request.path}"] += 1
    stats.concurrent += 1
    stats.max_concurrent = max(stats.max_concurrent, stats.concurrent)
    try:
        return await handler(request)
    finally:
        stats.concurrent -= 1


async def healthz(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def get_stats(request: web.Request) -> web.Response:
    stats = request.app[STATS]
    return web.json_response(
        {"requests": stats.by_path.total(), "by_path": dict(stats.by_path), "max_concurrent": stats.max_concurrent}
    )


async def reset_stats(request: web.Request) -> web.Response:
    request.app[STATS].reset()
    return web.Response(status=204)
