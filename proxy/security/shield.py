"""The layers of a route that look at a request's outside only, and what every answer tells browsers."""

from collections.abc import Awaitable, Callable
from functools import lru_cache

from multidict import CIMultiDict, CIMultiDictProxy

from proxy.errors import Forbidden, HeadersTooLarge, TargetTooLong
from proxy.message import Fields, Request, Response
from proxy.plan.shield import BotsPlan, LimitsPlan
from proxy.service import Layer, Service


def without_bots(plan: BotsPlan | None) -> Layer | None:
    """403 for clients that say that they are one of those; None where all may ask."""
    if plan is None:
        return None
    # Many clients say the same; the expressions are tried once for each.
    denies = lru_cache(maxsize=4096)(plan.denies)

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def filtered(request: Request) -> Response:
            if denies(" ".join(request.headers.getall("User-Agent", ()))):
                raise Forbidden("not for this client", headers={"Cache-Control": "no-store"})
            return await inner(request)

        return filtered

    return layer


def within_limits(plan: LimitsPlan | None) -> Layer | None:
    """414 and 431 for requests that are longer than a route takes; None where the server's limits are enough."""
    if plan is None:
        return None

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def limited(request: Request) -> Response:
            if plan.url is not None and len(request.path) + request.has_query + len(request.query) > plan.url:
                raise TargetTooLong(f"the request target is longer than {plan.url} bytes")
            headers = request.headers
            if plan.header_count is not None and len(headers) > plan.header_count:
                raise HeadersTooLarge(f"there are more than {plan.header_count} headers")
            if plan.headers is not None:
                size = sum(
                    [len(name) + len(value.encode("utf-8", "surrogateescape")) for name, value in headers.items()]
                )
                if size > plan.headers:
                    raise HeadersTooLarge(f"the headers are longer than {plan.headers} bytes")
            return await inner(request)

        return limited

    return layer


def with_security_headers(fields: tuple[tuple[str, str], ...]) -> Layer | None:
    """Every answer of the route says these unless it says them itself; errors too. None where there are none."""
    if not fields:
        return None
    secure: Fields = list(fields)
    # RFC 6797 §7.2: nobody may say it where anybody could have written it.
    plain: Fields = [field for field in fields if field[0].lower() != "strict-transport-security"]

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def secured(request: Request) -> Response:
            ours = secure if request.scheme == "https" else plain
            try:
                response = await inner(request)
            except BaseException:
                # The answer that an error becomes is made further out, and says none of them.
                request.told = [*(request.told or ()), *ours]
                raise
            for name, value in ours:
                response.headers.setdefault(name, value)
            return response

        return secured

    return layer


def without_identity_headers(names: frozenset[str]) -> Layer | None:
    """What a client says that it is by these headers (in lower case) is not even looked at. None where there are none.

    A trusted proxy may say it: that is what some are for.
    """
    if not names:
        return None

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def stripped(request: Request) -> Response:
            headers = request.headers
            if request.way is None and any([name.lower() in names for name in headers]):
                kept = [(name, value) for name, value in headers.items() if name.lower() not in names]
                request.headers = CIMultiDictProxy(CIMultiDict(kept))
            return await inner(request)

        return stripped

    return layer
