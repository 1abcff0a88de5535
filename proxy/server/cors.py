"""Pages of other origins: the preflight that a browser sends first, and what it is told with every answer."""

from collections.abc import Awaitable, Callable

from multidict import CIMultiDict

from proxy.errors import Forbidden
from proxy.message import Request, Response
from proxy.plan.cors import CorsPlan
from proxy.server.websocket import asks_for_websocket
from proxy.service import Layer, Service


def preflight(plan: CorsPlan, request: Request, method: str) -> Response:
    """The answer to a browser that asks whether a page may send `method`. The upstream is not asked."""
    origins = request.headers.getall("Origin", ())
    fields = plan.answer(origins)
    if len(origins) != 1 or not plan.lets_in(origins[0]):
        raise Forbidden("this origin may not", headers=dict(fields))
    return Response(204, CIMultiDict([*fields, *plan.preflight(method)]))


def cross_origin(plan: CorsPlan | None) -> Layer | None:
    """What browsers are told with the answers of a route, and with its errors. None where pages may read nothing."""
    if plan is None:
        return None

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def readable(request: Request) -> Response:
            origins = request.headers.getall("Origin", ())
            if origins and asks_for_websocket(request.headers):
                # A browser opens one for any page, cookies and all, and asks nobody before (RFC 6455 §10.2).
                if len(origins) != 1 or not plan.lets_in(origins[0]):
                    raise Forbidden("this origin may not")
                return await inner(request)
            # Of errors the answers are made further out.
            request.told = [*(request.told or ()), *plan.answer(origins)]
            response = await inner(request)
            for name in [name for name in response.headers if name.lower().startswith("access-control-")]:
                response.headers.popall(name, None)
            return response

        return readable

    return layer
