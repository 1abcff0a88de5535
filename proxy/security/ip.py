"""The layer of a route with `ip`: from where it may be asked."""

from collections.abc import Awaitable, Callable
from functools import lru_cache

from proxy.errors import Forbidden
from proxy.message import Request, Response
from proxy.plan.ip import IpPlan
from proxy.service import Layer, Service


def from_allowed_addresses(plan: IpPlan | None) -> Layer | None:
    """Everybody else gets 403. None where anybody may ask."""
    if plan is None:
        return None
    # Few clients ask often; the rules are looked through once for each of them.
    lets_in = lru_cache(maxsize=4096)(plan.lets_in)

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def filtered(request: Request) -> Response:
            if not lets_in(request.client_ip):
                raise Forbidden("not from this address", headers={"Cache-Control": "no-store"})
            return await inner(request)

        return filtered

    return layer
