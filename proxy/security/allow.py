"""The layer of a route with `allow`: who may, of those who are known and those who are not."""

from collections.abc import Awaitable, Callable

from proxy.engine.context import scope_maker
from proxy.errors import Forbidden
from proxy.expr.cel import CelFailed
from proxy.message import Request, Response
from proxy.plan.auth import AllowPlan
from proxy.service import Layer, Service


def allowing(plan: AllowPlan) -> Layer:
    """Nobody passes for whom the condition is not true; one that cannot be computed is not."""
    make_scope = scope_maker(plan.roots)

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def allow(request: Request) -> Response:
            try:
                allowed = plan.evaluate(make_scope(request)) is True
            except CelFailed:
                allowed = False
            if not allowed:
                raise Forbidden("this is not allowed", headers={"Cache-Control": "no-store"})
            return await inner(request)

        return allow

    return layer
