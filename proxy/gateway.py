"""The composition root: what serves, and how one configuration takes over from another.

A `Generation` is one loaded configuration with everything it needs to serve. `Gateway.load` builds a whole new one and
swaps one reference; the old one ends when the last request that began on it has its answer. A configuration that
cannot be built changes nothing.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from proxy.background import Background
from proxy.cache.local import LocalStore
from proxy.cache.memory import MemoryStore
from proxy.cache.redis import RedisStore
from proxy.cache.store import Store
from proxy.clock import monotonic, timestamp
from proxy.events import Event, Observer, Reloaded, ReloadFailed
from proxy.loading import Loaded, load
from proxy.message import Request
from proxy.plan.nodes import Plan, RoutePlan, ServerPlan
from proxy.plan.routing import Router
from proxy.problems import Problem
from proxy.security.limiters import Limiters
from proxy.security.sharedcounts import SharedCounts
from proxy.security.sources import Sources
from proxy.server.actions import Budgets, Services
from proxy.server.adapter import Adapter
from proxy.server.dispatch import dispatch
from proxy.server.gate import Gate
from proxy.server.hops import Networks, ReadWay, parse_networks, read_forwarded, read_x_forwarded
from proxy.server.secure import to_https
from proxy.server.stack import build_server_stack
from proxy.service import Service
from proxy.tls import entrance, make_certificates
from proxy.upstream.client import UpstreamClient
from proxy.upstream.registry import Registry

_LOG = logging.getLogger("proxy.gateway")


class ConfigRefused(Exception):
    """A configuration has errors. `problems` says which."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(f"{len(loaded.problems)} problems")
        self.loaded = loaded

    @property
    def problems(self) -> Sequence[Problem]:
        return self.loaded.problems


class Generation:
    """One configuration, serving. Held by the requests that began on it."""

    def __init__(
        self,
        number: int,
        plan: Plan,
        clients: Mapping[str, UpstreamClient],
        observer: Observer,
        store: MemoryStore | None = None,
        budgets: Budgets | None = None,
        answers: Store | None = None,
        background: Background | None = None,
        limiters: Limiters | None = None,
        sources: Sources | None = None,
    ) -> None:
        self.number = number
        self.plan = plan
        self.clients = clients
        self.router: Router[RoutePlan] = plan.router
        self.max_target = plan.server.max_target
        self.services = Services(plan, clients, observer, store, budgets, answers, background, limiters, sources)
        self.trusted: Networks = parse_networks(plan.server.trusted_proxies)
        self.read_way: ReadWay = read_forwarded if plan.server.forwarded == "forwarded" else read_x_forwarded
        self.certificates = None if plan.server.tls is None else make_certificates(plan.server.tls)
        self._held = 0
        self._retired: asyncio.Future[None] | None = None

    def __enter__(self) -> "Generation":
        self._held += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._held -= 1
        if not self._held and self._retired is not None and not self._retired.done():
            self._retired.set_result(None)

    async def retire(self) -> None:
        """Wait until no request holds this generation any more. It gets no new ones."""
        self._retired = asyncio.get_running_loop().create_future()
        if self._held:
            await self._retired


@dataclass(slots=True)
class ConfigState:
    """What is known of the configuration, for readiness and the admin API.

    `needs_restart` names the settings of `server` that a reload changed and that only a restart makes true.
    """

    generation: int = 0
    loaded_at: str = ""
    failed_at: str = ""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    needs_restart: tuple[str, ...] = ()

    @property
    def current(self) -> bool:
        """Whether the last attempt to load was taken."""
        return not self.problems


class Gateway:
    """Holds the current generation and replaces it."""

    def __init__(
        self, config: Path | str, observers: Sequence[Observer] = (), env: Mapping[str, str] | None = None
    ) -> None:
        self._config = str(config)
        self._env = env
        self._observers = tuple(observers)
        self._registry = Registry(self.observe)
        self._store = MemoryStore(0)
        self._budgets: Budgets = {}
        self._limiters = Limiters(self.observe)
        self._gate = Gate(self.observe)
        self._answers: Store = LocalStore(self._store)
        self._answers_in: tuple[str | None, float] = (None, 0.0)
        self._background = Background()
        self._sources = Sources(self._background)
        self._loading = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self._current: Generation | None = None
        self._started_with: ServerPlan | None = None
        self.state = ConfigState()
        self.watched: Mapping[str, bytes] = {}
        self.service: Service = build_server_stack(dispatch(lambda: self.current), self.observe, _log_unexpected)

    @property
    def current(self) -> Generation:
        """The generation that new requests are served by. `load` must have succeeded once."""
        assert self._current is not None
        return self._current

    def make_adapter(self) -> Adapter:
        """What a listener serves by: always the current generation."""
        return self._make_adapter(self.service)

    def make_redirector(self, port: int) -> Adapter:
        """What a listener without TLS serves by, beside one with TLS on `port`."""

        def known_port() -> int:
            tls = self.current.plan.server.tls
            return port if tls is None or tls.port is None else tls.port

        return self._make_adapter(build_server_stack(to_https(known_port), self.observe, _log_unexpected))

    def _make_adapter(self, service: Service) -> Adapter:
        return Adapter(
            service,
            trusted=lambda: self.current.trusted,
            read_way=lambda: self.current.read_way,
            body_s=lambda: self.current.plan.server.body_s,
            send_s=lambda: self.current.plan.server.send_s,
            observer=self.observe,
            gate=self._gate,
        )

    def make_entrance(self) -> ssl.SSLContext | None:
        """What a listener speaks TLS by, always with the current certificates; None for plain HTTP."""
        tls = self.current.plan.server.tls
        return None if tls is None else entrance(tls, lambda: self.current.certificates)

    @property
    def registry(self) -> Registry:
        return self._registry

    @property
    def memory(self) -> MemoryStore:
        """What this process keeps in its memory."""
        return self._store

    @property
    def answers(self) -> Store:
        """Where the answers of routes are kept."""
        return self._answers

    def observe(self, event: Event) -> None:
        """Tell every observer."""
        for observer in self._observers:
            observer(event)

    async def load(self, reason: str) -> Generation:
        """Read, check and compile the configuration, then serve by it.

        Raises `ConfigRefused`, having changed nothing but `state`, if it has errors.
        """
        async with self._loading:
            started = monotonic()
            # In a thread: reading and compiling a large file must not keep requests waiting.
            loaded = await asyncio.to_thread(load, self._config, self._env)
            self.watched = loaded.watched
            if loaded.plan is None:
                self._refuse(loaded, reason)
                raise ConfigRefused(loaded)
            generation = self._swap(loaded.plan)
            waiting = generation.plan.server.needs_restart(self._started_with or generation.plan.server)
            self._started_with = self._started_with or generation.plan.server
            self.state = ConfigState(generation.number, timestamp(), "", (), tuple(loaded.problems), waiting)
            self.observe(Reloaded(generation.number, reason, monotonic() - started))
            _LOG.info("generation %d serves %d routes (%s)", generation.number, len(loaded.plan.routes), reason)
            for key in waiting:
                _LOG.warning("server.%s has changed, which takes a restart to take effect", key)
            return generation

    def _refuse(self, loaded: Loaded, reason: str) -> None:
        problems = tuple(problem for problem in loaded.problems if problem.severity == "error")
        self.state.problems = problems
        self.state.failed_at = timestamp()
        self.observe(ReloadFailed(reason, tuple(str(problem) for problem in problems)))
        for problem in problems:
            _LOG.error("configuration refused (%s): %s", reason, problem)

    def _swap(self, plan: Plan) -> Generation:
        clients = self._registry.take(plan.upstreams.values())
        old = self._current
        number = 1 if old is None else old.number + 1
        self._store.resize(plan.server.cache_bytes)
        self._gate.change(plan.server.shed_lag_s, plan.server.shed_after_s, plan.server.shed_wait_s)
        left = [one for one in (self._choose_answers(plan.server), self._limiters.take(plan)) if one is not None]
        self._current = Generation(
            number,
            plan,
            clients,
            self.observe,
            self._store,
            self._budgets,
            self._answers,
            self._background,
            self._limiters,
            self._sources,
        )
        if old is not None:
            retiring = self._retire(old, left)
            task = asyncio.get_running_loop().create_task(retiring, name=f"retire generation {old.number}")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        return self._current

    def _choose_answers(self, server: ServerPlan) -> Store | None:
        """Keep answers where the configuration says; gives what they were kept in, if that is another place now."""
        wanted = (server.cache_store, server.cache_timeout_s if server.cache_store is not None else 0.0)
        if wanted == self._answers_in:
            return None
        url, timeout_s = self._answers_in = wanted
        left = self._answers
        self._answers = LocalStore(self._store) if url is None else RedisStore(url, timeout_s, self.observe)
        return left

    async def _retire(self, generation: Generation, left: Sequence[Store | SharedCounts]) -> None:
        await generation.retire()
        for one in left:
            await one.close()
        await self._registry.release(generation.plan.upstreams.values())

    async def close(self) -> None:
        """Release everything; requests still under way lose their upstreams."""
        for task in tuple(self._retiring):
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._background.close()
        await self._sources.close()
        await self._limiters.close()
        await self._answers.close()
        await self._registry.close()


def _log_unexpected(request: Request) -> None:
    _LOG.exception("request %s to route %s failed unexpectedly", request.id, request.route)
