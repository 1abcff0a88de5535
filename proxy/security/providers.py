"""From the plans of providers to the layer that asks them."""

from collections.abc import Mapping
from typing import Protocol, assert_never

from proxy.events import Observer
from proxy.plan.auth import ApiKeysPlan, AuthPlan, BasicPlan, ForwardPlan, JwtPlan, MtlsPlan, OidcPlan, ProviderPlan
from proxy.plan.upstreams import UpstreamPlan
from proxy.security.authenticate import authenticated
from proxy.security.credentials import Identify, api_keys, basic
from proxy.security.forward import forward
from proxy.security.jwt import jwt
from proxy.security.login import Login
from proxy.security.mtls import mtls
from proxy.security.sources import Sources
from proxy.service import Layer
from proxy.upstream.exchange import Upstream


def challenge(plan: ProviderPlan) -> str:
    """What a 401 says of it (RFC 9110 §11.6.1); empty where the provider's own answers say it."""
    match plan:
        case ApiKeysPlan():
            return f'ApiKey realm="{plan.name}"'
        case BasicPlan():
            return f'Basic realm="{plan.name}", charset="UTF-8"'
        case JwtPlan():
            return f'Bearer realm="{plan.name}"'
        case ForwardPlan():
            return ""
        case OidcPlan():
            return f'Cookie realm="{plan.name}"'
        case MtlsPlan():
            return f'Certificate realm="{plan.name}"'


class Gatekeeper(Protocol):
    """What makes the layer of a route with `auth`."""

    def layer(self, plan: AuthPlan) -> Layer: ...


class Providers:
    """Each provider once: routes share the tokens that were checked."""

    def __init__(
        self,
        sources: Sources,
        clients: Mapping[str, Upstream],
        upstreams: Mapping[str, UpstreamPlan],
        observer: Observer,
    ) -> None:
        self._sources = sources
        self._clients = clients
        self._upstreams = upstreams
        self._observer = observer
        self._made: dict[str, Identify] = {}

    def layer(self, plan: AuthPlan) -> Layer:
        """The layer of a route with `auth`."""
        return authenticated([(self._of(one), challenge(one)) for one in plan.providers], plan.headers)

    def _of(self, plan: ProviderPlan) -> Identify:
        if plan.name not in self._made:
            self._made[plan.name] = self._make(plan)
        return self._made[plan.name]

    def _make(self, plan: ProviderPlan) -> Identify:
        match plan:
            case ApiKeysPlan():
                return api_keys(plan, None if plan.stored is None else self._sources.store(plan.stored).find)
            case BasicPlan():
                return basic(plan)
            case JwtPlan():
                return jwt(plan, self._sources.ring(plan.url) if plan.url is not None else None)
            case ForwardPlan():
                upstream = self._upstreams[plan.upstream]
                return forward(plan, self._clients[plan.upstream], upstream, self._observer)
            case MtlsPlan():
                return mtls(plan)
            case OidcPlan():
                return Login(plan, self._sources).identify
            case _:
                assert_never(plan)
