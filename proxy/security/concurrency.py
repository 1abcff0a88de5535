"""The layer of a route with `concurrency`: so many requests are under way at once, and no more.

A place is taken until the answer has ended: the last byte of a streamed one, the end of a WebSocket.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from proxy.engine.context import scope_maker
from proxy.errors import TooManyAtOnce
from proxy.message import Request, Response
from proxy.plan.ratelimit import ConcurrencyPlan
from proxy.service import Layer, Service

Places = dict[str, int]
"""Key → how many are under way; a key of which none is has no entry."""

AllPlaces = dict[ConcurrencyPlan, Places]
"""Kept over a reload: what is under way was let in by the same limit."""


def at_most(plan: ConcurrencyPlan | None, places: AllPlaces) -> Layer | None:
    """429 for whoever is one too many. None where any number may be under way."""
    if plan is None:
        return None
    taken = places.setdefault(plan, {})
    key_of = _key_maker(plan)

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def limited(request: Request) -> Response:
            key = key_of(request)
            if taken.get(key, 0) >= plan.limit:
                raise TooManyAtOnce
            taken[key] = taken.get(key, 0) + 1
            try:
                response = await inner(request)
            except BaseException:
                _leave(taken, key)
                raise
            response.at_end(partial(_leave, taken, key))
            return response

        return limited

    return layer


def _leave(taken: Places, key: str) -> None:
    left = taken[key] - 1
    if left:
        taken[key] = left
    else:
        del taken[key]


def _key_maker(plan: ConcurrencyPlan) -> Callable[[Request], str]:
    own = plan.key
    if own is None:
        return lambda request: ""
    make_scope = scope_maker(plan.roots)

    def key_of(request: Request) -> str:
        key = own(make_scope(request))
        # As with rate limits: who has no such value is counted by address, never together with somebody who has it.
        return f"={key}" if key is not None else f"@{request.client_ip}"

    return key_of
