"""The admin application of a parent of workers: one health, one readiness, one set of metrics for all of them.

Each worker serves the ordinary admin application on a Unix socket that only the parent knows; what is asked here is
asked of all of them, and what is not about all of them of the first that serves.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web

from proxy import __version__
from proxy.admin.answers import as_json
from proxy.admin.guard import guards
from proxy.errors import PROBLEM_TYPE
from proxy.observe.merging import merge_metrics
from proxy.observe.metrics import CONTENT_TYPE
from proxy.server.workers import Worker, Workers

# A worker that does not answer its parent in this time does not count as one that serves.
_PATIENCE_S = 5.0
Answer = tuple[int, bytes]


class Together:
    """Asks the workers. `socket_of` says where one's admin listener is."""

    def __init__(self, workers: Workers, socket_of: Callable[[int], str], ready: Callable[[], bool]) -> None:
        self.workers = workers
        self.socket_of = socket_of
        self.ready = ready
        self._seen: dict[int, tuple[int, str]] = {}
        self._gone = ""

    async def ask(self, worker: Worker, method: str, path: str, body: bytes = b"") -> Answer | None:
        """One worker's answer, None without one."""
        connector = UnixConnector(self.socket_of(worker.number))
        try:
            async with (
                ClientSession(connector=connector, timeout=ClientTimeout(total=_PATIENCE_S)) as session,
                session.request(method, f"http://localhost{path}", data=body or None) as response,
            ):
                return response.status, await response.read()
        except (ClientError, TimeoutError, OSError):
            return None

    async def ask_all(self, method: str, path: str, body: bytes = b"") -> list[tuple[Worker, Answer]]:
        """The answers of those that serve and answer, in order."""
        asked = self.workers.ready
        answers = await asyncio.gather(*[self.ask(worker, method, path, body) for worker in asked])
        return [(worker, answer) for worker, answer in zip(asked, answers, strict=True) if answer is not None]

    async def metrics(self) -> str:
        """What all workers counted, those that are gone included, and how many there are."""
        answers = await self.ask_all("GET", "/metrics")
        return await asyncio.to_thread(self._merge, [(worker, body.decode()) for worker, (_, body) in answers])

    def _merge(self, texts: list[tuple[Worker, str]]) -> str:
        for worker, text in texts:
            pid, last = self._seen.get(worker.number, (worker.pid, ""))
            if pid != worker.pid:
                self._gone = merge_metrics([], [self._gone, last])
            self._seen[worker.number] = worker.pid, text
        # One that does not answer at the moment has counted all the same.
        silent = [text for number, (_, text) in self._seen.items() if number not in {w.number for w, _ in texts}]
        return self._own() + merge_metrics([text for _, text in texts], [self._gone, *silent])

    def _own(self) -> str:
        workers = self.workers
        return (
            "# HELP proxy_workers Workers that serve.\n# TYPE proxy_workers gauge\n"
            f"proxy_workers {float(len(workers.ready))}\n"
            "# HELP proxy_worker_restarts_total Workers that ended by themselves and were started again.\n"
            "# TYPE proxy_worker_restarts_total counter\n"
            f"proxy_worker_restarts_total {float(sum(worker.restarts for worker in workers.all))}\n"
        )


TOGETHER = web.AppKey("together", Together)


def make_admin_of_all(together: Together, token: str | None = None) -> web.Application:
    """The admin application over workers."""
    app = web.Application(middlewares=guards(token))
    app[TOGETHER] = together
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_post("/api/reload", reload)
    app.router.add_post("/api/cache/purge", purge_cache)
    app.router.add_get("/{rest:.*}", of_the_first)
    return app


async def healthz(request: web.Request) -> web.Response:
    """The parent lives."""
    return as_json({"status": "ok", "version": __version__, "workers": len(request.app[TOGETHER].workers.ready)})


async def readyz(request: web.Request) -> web.Response:
    """200 while at least one worker takes requests: the others' connections are its own. What is not well is told."""
    together = request.app[TOGETHER]
    answers = {worker: msgspec.json.decode(body) for worker, (_, body) in await together.ask_all("GET", "/readyz")}
    ready = together.ready() and any(answer["status"] == "ready" for answer in answers.values())
    configs = [answer["config"] for answer in answers.values()]
    body: dict[str, Any] = {
        "status": "ready" if ready else "draining" if not together.ready() else "no worker serves",
        "config": next((one for one in configs if one["status"] != "current"), configs[0] if configs else None),
        "workers": [_state(worker, answers.get(worker)) for worker in together.workers.all],
    }
    return as_json(body, 200 if ready else 503)


def _state(worker: Worker, answer: dict[str, Any] | None) -> dict[str, Any]:
    status = "not running" if not worker.ready else "does not answer" if answer is None else answer["status"]
    state = {"number": worker.number, "pid": worker.pid, "status": status, "restarts": worker.restarts}
    return state if answer is None else {**state, "generation": answer["config"]["generation"]}


async def metrics(request: web.Request) -> web.Response:
    """What all workers counted."""
    text = await request.app[TOGETHER].metrics()
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


async def reload(request: web.Request) -> web.Response:
    """Load the configuration in every worker: 200 if all took it, else the first refusal."""
    answers = [answer for _, answer in await request.app[TOGETHER].ask_all("POST", "/api/reload")]
    return _pass_on(next((answer for answer in answers if answer[0] != 200), answers[0] if answers else None))


async def purge_cache(request: web.Request) -> web.Response:
    """Forget kept answers in every worker: 200 with how many they were together, else the first refusal."""
    body = await request.read()
    answers = [answer for _, answer in await request.app[TOGETHER].ask_all("POST", "/api/cache/purge", body)]
    refused = next((answer for answer in answers if answer[0] != 200), None)
    if refused is not None or not answers:
        return _pass_on(refused)
    return as_json({"purged": sum(msgspec.json.decode(answer)["purged"] for _, answer in answers)})


async def of_the_first(request: web.Request) -> web.Response:
    """What one worker can answer for all: the configuration is the same."""
    together = request.app[TOGETHER]
    for worker in together.workers.ready:
        if (answer := await together.ask(worker, "GET", request.path_qs)) is not None:
            return _pass_on(answer)
    return _pass_on(None)


def _pass_on(answer: Answer | None) -> web.Response:
    if answer is None:
        return as_json({"title": "Service Unavailable", "status": 503, "detail": "no worker serves"}, 503, PROBLEM_TYPE)
    status, body = answer
    return web.Response(body=body, status=status, content_type="application/json" if status < 400 else PROBLEM_TYPE)
