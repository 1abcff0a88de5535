"""The services of a plan's routes: each action with the layers that its kind of answer passes."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from msgspec import structs

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
from proxy.plan.auth import LoginPlan
from proxy.plan.nodes import CompositePlan, Plan, RedirectPlan, ReplyPlan, RoutePlan
from proxy.plan.proxying import MirrorPlan, ProxyPlan
from proxy.policy.budget import Budget
from proxy.security.allow import allowing
from proxy.security.concurrency import at_most
from proxy.security.ip import from_allowed_addresses
from proxy.security.limiters import Limiters
from proxy.security.login import Login, own_cookies_kept
from proxy.security.providers import Gatekeeper, Providers
from proxy.security.ratelimit import rate_limiting
from proxy.security.shield import with_security_headers, within_limits, without_bots, without_identity_headers
from proxy.security.sources import Sources
from proxy.security.validate import validating
from proxy.server.cached import SAFE, cached, forgetting
from proxy.server.cors import cross_origin
from proxy.server.fixed import redirect_action, reply_action
from proxy.server.mirror import Mirror
from proxy.server.pages import error_pages
from proxy.server.passthrough import passthrough_action
from proxy.server.split import split_action
from proxy.service import Layer, Service, stack
from proxy.upstream.exchange import Client, Opening
from proxy.upstream.extras import Extras
from proxy.upstream.retrying import Retrying

_CODINGS = find_codings()

Budgets = dict[tuple[str, float], Budget]
"""Of each upstream and share: kept over a reload, so that one does not pay out anew."""


class Services(dict[str, Service]):
    """Route name → service, made when first asked for: a file of 10,000 routes loads without 10,000 stacks."""

    def __init__(
        self,
        plan: Plan,
        clients: Mapping[str, Client],
        observer: Observer,
        store: MemoryStore | None = None,
        budgets: Budgets | None = None,
        answers: Store | None = None,
        background: Background | None = None,
        limiters: Limiters | None = None,
        sources: Sources | None = None,
        chance: Random | None = None,
        providers: Gatekeeper | None = None,
    ) -> None:
        super().__init__()
        addresses = {
            name: (upstream.endpoints, upstream.dns, upstream.host) for name, upstream in plan.upstreams.items()
        }
        kept = MemoryStore(plan.server.cache_bytes) if store is None else store
        self._chance = chance or Random()
        self._extras = _extras(plan, {} if budgets is None else budgets, observer, self._chance)
        self._shared = Shared(clients, addresses, Flights(), kept, self._extras)
        self._answers = LocalStore(kept) if answers is None else answers
        self._background = Background() if background is None else background
        self._limiters = Limiters(observer) if limiters is None else limiters
        self._sources = sources = Sources(self._background) if sources is None else sources
        logins = [route.action.provider for route in plan.routes if isinstance(route.action, LoginPlan)]
        self._sessions = {login.cookie: login.name for login in logins}
        self._providers = providers or Providers(sources, clients, plan.upstreams, observer)
        self._keeps = any(route.cache is not None for route in plan.routes)
        self._routes = {route.name: route for route in plan.routes}
        self._plan = plan
        self._clients = clients
        self._observer = observer
        self._forward = {name: upstream.forward_headers for name, upstream in plan.upstreams.items()}

    def __missing__(self, name: str) -> Service:
        route = self._routes[name]
        action = self._build(route)
        action = stack(action, *self._gate(route))
        if route.error_pages and isinstance(route.action, CompositePlan | ProxyPlan):
            action = stack(action, error_pages(route.error_pages))
        action = stack(action, with_security_headers(route.security_headers))
        self[name] = action
        return action

    def _gate(self, route: RoutePlan) -> tuple[Layer | None, ...]:
        """What stands before a route. Outermost first, of the whole order: security headers, error pages, cors, ip,
        bots, limits, authenticate, allow, rate limit, concurrency, validate, cache, action."""
        return (
            cross_origin(route.cors),
            from_allowed_addresses(route.ip),
            without_bots(route.bots),
            within_limits(route.limits),
            without_identity_headers(self._plan.identity_headers),
            self._providers.layer(route.auth) if route.auth is not None else None,
            allowing(route.allow) if route.allow is not None else None,
            rate_limiting(route.rate_limits, self._limiters.counts, shared=self._limiters.shared),
            at_most(route.concurrency, self._limiters.places),
            validating(route.validate),
            own_cookies_kept(self._sessions) if not isinstance(route.action, LoginPlan) else None,
        )

    def _build(self, route: RoutePlan) -> Service:
        match route.action:
            case CompositePlan() as plan:
                composed = composite_action(route, plan, self._shared, self._forward, self._observer)
                finish = finishing(etag=plan.etag, codings=_CODINGS if plan.compress else {})
                accept = accepting(plan.media_type) if route.cache is not None else None
                # What is kept has its tag and its coding already.
                return stack(composed, accept, self._caching(route), finish)
            case ProxyPlan() as plan:
                return self._pass_through(route, plan)
            case ReplyPlan() as plan:
                codings = _CODINGS if self._plan.server.compress else {}
                return stack(reply_action(plan), finishing(etag=False, codings=codings))
            case RedirectPlan() as plan:
                return redirect_action(plan)
            case LoginPlan(provider=provider, step=step):
                login = Login(provider, self._sources)
                return login.callback if step == "callback" else login.logout

    def _pass_through(self, route: RoutePlan, plan: ProxyPlan) -> Service:
        mirror = self._mirror(route, plan.mirror) if plan.mirror is not None else None
        variants = {name: self._variant(route, plan, name, mirror) for name in plan.variants}
        return variants[plan.upstream] if plan.split is None else split_action(plan.split, variants, self._chance)

    def _variant(self, route: RoutePlan, plan: ProxyPlan, name: str, mirror: Mirror | None) -> Service:
        upstream = self._plan.upstreams[name]
        client: Opening = self._clients[name]
        if plan.retry is not None:
            client = Retrying(client, plan.retry, self._extras[name])
        own = replace(plan, upstream=name, hash_key=upstream.hash_key)
        passing = passthrough_action(route, own, client, upstream, self._plan.server, self._observer, mirror)
        # What one variant answers is not what another would.
        return stack(passing, self._caching(route, "" if plan.split is None else name))

    def _mirror(self, route: RoutePlan, plan: MirrorPlan) -> Mirror:
        upstream, client = self._plan.upstreams[plan.upstream], self._clients[plan.upstream]
        return Mirror(route.name, plan, client, upstream, self._plan.server, self._observer, self._chance)

    def _caching(self, route: RoutePlan, variant: str = "") -> Layer | None:
        """What a route has to do with answers that are kept: its own, or those of an address that it may change."""
        if route.cache is not None:
            plan = structs.replace(route.cache, identity=f"{route.cache.identity}{variant}")
            return cached(route.name, plan, self._answers, self._background, self._observer)
        return forgetting(self._answers) if self._keeps and not SAFE.issuperset(route.methods or ("*",)) else None


def _extras(plan: Plan, budgets: Budgets, observer: Observer, chance: Random) -> dict[str, Extras]:
    extras = {}
    for name, upstream in plan.upstreams.items():
        share = upstream.retry_budget
        budget = budgets.setdefault((name, share), Budget(share))
        extras[name] = Extras(name, budget, observer, chance.random)
    return extras
