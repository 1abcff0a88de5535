"""Several upstreams for one route: a request's header may choose, then its key, then chance by weight."""

from collections.abc import Awaitable, Callable, Mapping
from random import Random

from proxy.document import scalar_text
from proxy.engine.context import scope_maker
from proxy.message import Request, Response
from proxy.plan.proxying import SplitPlan
from proxy.policy.split import Split
from proxy.service import Service


def split_action(
    plan: SplitPlan, variants: Mapping[str, Service], chance: Random
) -> Callable[[Request], Awaitable[Response]]:
    """A service that hands each request to one of the variants, which are services by upstream."""
    split, random = Split(plan.weights), chance.random
    sticky, make_scope = plan.sticky, scope_maker(plan.roots)

    def choose(request: Request) -> str:
        if plan.overrides and (chosen := plan.overrides.get(request.headers.get(plan.header, ""))) is not None:
            return chosen
        if sticky is not None and (key := scalar_text(sticky(make_scope(request)))) is not None:
            return split.of_key(key)
        return split.drawn(random())

    async def serve(request: Request) -> Response:
        return await variants[choose(request)](request)

    return serve
