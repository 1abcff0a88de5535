"""The services of a plan's routes: each action with the layers that its kind of answer passes."""

from collections.abc import Mapping

from proxy.background import Background
from proxy.cache.flights import Flights
from proxy.cache.local import LocalStore
from proxy.cache.memory import MemoryStore
from proxy.cache.store import Store
from proxy.engine.codings import find_codings
from proxy.engine.composite import accepting, composite_action
from proxy.engine.finish import finishing
from proxy.engine.ways import Shared
from proxy.events import Observer
from proxy.plan.nodes import CompositePlan, Plan, ProxyPlan, RedirectPlan, ReplyPlan, RoutePlan
from proxy.server.cached import SAFE, cached, forgetting
from proxy.server.fixed import redirect_action, reply_action
from proxy.server.passthrough import passthrough_action
from proxy.service import Layer, Service, stack
from proxy.upstream.exchange import Client

_CODINGS = find_codings()


class Services(dict[str, Service]):
    """Route name → service, made when first asked for: a file of 10,000 routes loads without 10,000 stacks."""

    def __init__(
        self,
        plan: Plan,
        clients: Mapping[str, Client],
        observer: Observer,
        store: MemoryStore | None = None,
        answers: Store | None = None,
        background: Background | None = None,
    ) -> None:
        super().__init__()
        addresses = {name: (upstream.endpoints, upstream.host) for name, upstream in plan.upstreams.items()}
        kept = MemoryStore(plan.server.cache_bytes) if store is None else store
        self._shared = Shared(clients, addresses, Flights(), kept)
        self._answers = LocalStore(kept) if answers is None else answers
        self._background = Background() if background is None else background
        self._keeps = any(route.cache is not None for route in plan.routes)
        self._routes = {route.name: route for route in plan.routes}
        self._plan = plan
        self._clients = clients
        self._observer = observer
        self._forward = {name: upstream.forward_headers for name, upstream in plan.upstreams.items()}

    def __missing__(self, name: str) -> Service:
        service = self[name] = self._build(self._routes[name])
        return service

    def _build(self, route: RoutePlan) -> Service:
        match route.action:
            case CompositePlan() as plan:
                composed = composite_action(route, plan, self._shared, self._forward, self._observer)
                finish = finishing(etag=plan.etag, codings=_CODINGS if plan.compress else {})
                accept = accepting(plan.media_type) if route.cache is not None else None
                # What is kept has its tag and its coding already.
                return stack(composed, accept, self._caching(route), finish)
            case ProxyPlan() as plan:
                upstream = self._plan.upstreams[plan.upstream]
                passing = passthrough_action(route, plan, self._clients[plan.upstream], upstream, self._observer)
                return stack(passing, self._caching(route))
            case ReplyPlan() as plan:
                codings = _CODINGS if self._plan.server.compress else {}
                return stack(reply_action(plan), finishing(etag=False, codings=codings))
            case RedirectPlan() as plan:
                return redirect_action(plan)

    def _caching(self, route: RoutePlan) -> Layer | None:
        """What a route has to do with answers that are kept: its own, or those of an address that it may change."""
        if route.cache is not None:
            return cached(route.name, route.cache, self._answers, self._background, self._observer)
        return forgetting(self._answers) if self._keeps and not SAFE.issuperset(route.methods or ("*",)) else None
