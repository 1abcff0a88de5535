"""The admin application. Its answers hold no secret: places and messages of problems, names of routes and upstreams."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from proxy import __version__
from proxy.admin.answers import as_json
from proxy.admin.guard import guards
from proxy.cache.store import StoreUnavailable
from proxy.config.render import to_json
from proxy.document import InvalidJson, decode_json
from proxy.errors import PROBLEM_TYPE
from proxy.gateway import ConfigRefused, Gateway
from proxy.observe.metrics import CONTENT_TYPE, Metrics
from proxy.plan.explain import describe_routes
from proxy.server.cachekey import purge_tag

GATEWAY = web.AppKey("gateway", Gateway)
METRICS = web.AppKey("metrics", Metrics)
READY: web.AppKey[Callable[[], bool]] = web.AppKey("ready")


def make_admin(
    gateway: Gateway, metrics: Metrics, ready: Callable[[], bool], token: str | None = None
) -> web.Application:
    """The admin application over a gateway. `ready` says whether new requests are welcome; `token` is demanded."""
    app = web.Application(middlewares=guards(token))
    app[GATEWAY] = gateway
    app[METRICS] = metrics
    app[READY] = ready
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", render_metrics)
    app.router.add_get("/api/routes", list_routes)
    app.router.add_get("/api/upstreams", list_upstreams)
    app.router.add_get("/api/config", show_config)
    app.router.add_post("/api/reload", reload)
    app.router.add_post("/api/cache/purge", purge_cache)
    return app


async def healthz(request: web.Request) -> web.Response:
    """The process lives."""
    return as_json({"status": "ok", "version": __version__})


async def readyz(request: web.Request) -> web.Response:
    """Whether to send requests here, and how the configuration stands. A refused file does not make it unready:
    the last good one serves."""
    ready = request.app[READY]()
    body = {"status": "ready" if ready else "draining", "config": _config_state(request.app[GATEWAY])}
    return as_json(body, 200 if ready else 503)


def _config_state(gateway: Gateway) -> dict[str, Any]:
    state = gateway.state
    return {
        "status": "current" if state.current else "refused",
        "generation": state.generation,
        "loaded_at": state.loaded_at,
        **({"needs_restart": [f"server.{key}" for key in state.needs_restart]} if state.needs_restart else {}),
        **({} if state.current else {"failed_at": state.failed_at, "problems": to_json(state.problems)}),
    }


async def show_config(request: web.Request) -> web.Response:
    """How the configuration stands, with warnings."""
    gateway = request.app[GATEWAY]
    return as_json({**_config_state(gateway), "warnings": to_json(gateway.state.warnings)})


async def render_metrics(request: web.Request) -> web.Response:
    """Prometheus text, made in a thread: many routes take tens of milliseconds."""
    metrics = request.app[METRICS]
    metrics.endpoints = _count_endpoints(request.app[GATEWAY])
    metrics.tasks = len(asyncio.all_tasks())
    body = await asyncio.to_thread(metrics.render)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


async def list_routes(request: web.Request) -> web.Response:
    """The routes that serve."""
    generation = request.app[GATEWAY].current
    return as_json({"generation": generation.number, "routes": describe_routes(generation.plan)})


def _count_endpoints(gateway: Gateway) -> dict[tuple[str, ...], float]:
    counts: dict[tuple[str, ...], float] = {}
    for name, client in gateway.current.clients.items():
        for state in ("healthy", "unhealthy", "ejected"):
            counts[(name, state)] = sum(member.state == state for member in client.members)
    return counts


async def list_upstreams(request: web.Request) -> web.Response:
    """The upstreams that serve: each endpoint with its state."""
    generation = request.app[GATEWAY].current
    upstreams = [
        {
            "name": name,
            "balance": client.plan.balance,
            "in_flight": client.in_flight,
            "endpoints": [
                {
                    "address": member.endpoint.label,
                    "state": member.state,
                    "weight": member.full_weight,
                    "in_flight": member.pool.in_flight,
                    "connections": member.pool.connections,
                    "ejections": member.outlier.times,
                }
                for member in client.members
            ],
        }
        for name, client in generation.clients.items()
    ]
    return as_json({"generation": generation.number, "upstreams": upstreams})


async def reload(request: web.Request) -> web.Response:
    """Load the configuration now: 200 with the new generation, 422 with the problems."""
    gateway = request.app[GATEWAY]
    try:
        generation = await gateway.load("admin API")
    except ConfigRefused:
        problem = {
            "type": "about:blank",
            "title": "Unprocessable Content",
            "status": 422,
            "detail": "the configuration was refused; the last good one serves on",
            **_config_state(gateway),
        }
        problem["status"] = 422
        return as_json(problem, 422, PROBLEM_TYPE)
    return as_json({"generation": generation.number, "routes": len(generation.plan.routes)})


async def purge_cache(request: web.Request) -> web.Response:
    """Forget kept answers of routes, by `{"route": …}`, `{"key": …}` or `{"tag": …}`: 200 with how many they were."""
    try:
        wanted = decode_json(await request.read())
    except InvalidJson:
        wanted = None
    if not isinstance(wanted, dict) or len(wanted) != 1 or not isinstance(text := next(iter(wanted.values())), str):
        return _bad_purge('send one of {"route": …}, {"key": …} and {"tag": …}')
    kind = next(iter(wanted))
    gateway = request.app[GATEWAY]
    if kind == "route" and all(route.name != text or route.cache is None for route in gateway.current.plan.routes):
        return _bad_purge(f"no route {text!r} keeps answers", 404)
    try:
        tag = purge_tag(kind, text)
    except ValueError as error:
        return _bad_purge(str(error))
    try:
        return as_json({"purged": await gateway.answers.purge(tag)})
    except StoreUnavailable as error:
        return as_json({"title": "Service Unavailable", "status": 503, "detail": error.detail}, 503, PROBLEM_TYPE)


def _bad_purge(detail: str, status: int = 400) -> web.Response:
    title = "Bad Request" if status == 400 else "Not Found"
    return as_json({"type": "about:blank", "title": title, "status": status, "detail": detail}, status, PROBLEM_TYPE)
