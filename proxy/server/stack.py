"""The order of a request's layers, outermost first, and the two that every request passes."""

from collections.abc import Awaitable, Callable

from multidict import CIMultiDict

from proxy.clock import monotonic
from proxy.document import encode_json
from proxy.errors import PROBLEM_TYPE, GatewayError, to_problem
from proxy.events import Observer, RequestFinished
from proxy.message import Request, Response
from proxy.service import Layer, Service, stack


def build_server_stack(action: Service, observer: Observer, log_unexpected: Callable[[Request], None]) -> Service:
    """Every request: seen by the observer, rescued from errors, then dispatched."""
    return stack(
        action,
        observe_requests(observer),
        rescue(log_unexpected),
    )


def observe_requests(observer: Observer) -> Layer:
    """Tell the observer about every answer when it has ended, and about clients that went away before (status 499)."""

    def layer(inner: Service) -> Service:
        async def observed(request: Request) -> Response:
            response = Response(499)

            def finished() -> None:
                observer(RequestFinished(request, response, monotonic() - request.received_at, request.generation))

            try:
                response = await inner(request)
                return response
            finally:
                response.at_end(finished)

        return observed

    return layer


def rescue(log_unexpected: Callable[[Request], None]) -> Layer:
    """Errors become problem documents; an unexpected one is logged and tells the client nothing."""

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def rescued(request: Request) -> Response:
            try:
                response = await inner(request)
            except GatewayError as error:
                response = problem_response(error, request)
            except Exception:  # the edge: whatever was not foreseen ends here
                log_unexpected(request)
                response = problem_response(GatewayError("something went wrong here"), request)
            if request.told is not None:
                response.headers.extend(request.told)
            return response

        return rescued

    return layer


def problem_response(error: GatewayError, request: Request) -> Response:
    """The answer that an error means to a client (RFC 9457)."""
    headers = CIMultiDict({"Content-Type": PROBLEM_TYPE, "Cache-Control": "no-store", **error.headers})
    body = encode_json(to_problem(error, route=request.route, request_id=request.id))
    return Response(error.status, headers, body, error=error.code, close=error.close)
