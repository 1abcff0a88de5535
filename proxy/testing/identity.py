"""Who asks, in a test: whoever the test says. No issuer is fetched, and nobody is asked."""

from proxy.message import Request
from proxy.plan.auth import ApiKeysPlan, AuthPlan, BasicPlan, Claims, ProviderPlan
from proxy.security.authenticate import authenticated
from proxy.security.credentials import Identify, api_keys, basic
from proxy.security.providers import challenge
from proxy.service import Layer


class Said:
    """Knows whoever has `claims`; without, only credentials that stand in the configuration itself are good."""

    def __init__(self, claims: Claims | None) -> None:
        self._claims = claims

    def layer(self, plan: AuthPlan) -> Layer:
        """The layer of a route with `auth`."""
        return authenticated([(self._identify(one), challenge(one)) for one in plan.providers], plan.headers)

    def _identify(self, plan: ProviderPlan) -> Identify:
        if self._claims is None:
            match plan:
                case ApiKeysPlan():
                    return api_keys(plan)
                case BasicPlan():
                    return basic(plan)

        async def identify(request: Request) -> Claims | None:
            return self._claims

        return identify
