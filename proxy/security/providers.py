"""From the plans of providers to the layer that asks them."""

from typing import assert_never

from proxy.plan.auth import ApiKeysPlan, AuthPlan, BasicPlan, JwtPlan, ProviderPlan
from proxy.security.authenticate import authenticated
from proxy.security.credentials import Identify, api_keys, basic
from proxy.security.jwt import jwt
from proxy.security.keyring import KeyRings
from proxy.service import Layer


class Providers:
    """Each provider once, with its challenge: routes share the tokens that were checked."""

    def __init__(self, rings: KeyRings) -> None:
        self._rings = rings
        self._made: dict[str, tuple[Identify, str]] = {}

    def layer(self, plan: AuthPlan) -> Layer:
        """The layer of a route with `auth`."""
        return authenticated([self._of(one) for one in plan.providers], plan.headers)

    def _of(self, plan: ProviderPlan) -> tuple[Identify, str]:
        if plan.name not in self._made:
            self._made[plan.name] = self._make(plan)
        return self._made[plan.name]

    def _make(self, plan: ProviderPlan) -> tuple[Identify, str]:
        match plan:
            case ApiKeysPlan():
                return api_keys(plan), f'ApiKey realm="{plan.name}"'
            case BasicPlan():
                return basic(plan), f'Basic realm="{plan.name}", charset="UTF-8"'
            case JwtPlan():
                ring = self._rings.of(plan.url) if plan.url is not None else None
                return jwt(plan, ring), f'Bearer realm="{plan.name}"'
            case _:
                assert_never(plan)
