"""The `proxy` action: one request to one upstream, its answer as it came. Streamed both ways."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from multidict import CIMultiDict

from proxy.clock import monotonic
from proxy.engine.context import build_scope
from proxy.errors import DeadlineExceeded, GatewayError
from proxy.events import CallFinished, Observer
from proxy.message import BodyStream, CallRecord, Headers, Request, Response, end_to_end
from proxy.plan.nodes import RoutePlan, ServerPlan
from proxy.plan.proxying import ProxyPlan
from proxy.plan.upstreams import UpstreamPlan
from proxy.server.answering import response_maker
from proxy.server.dispatch import METHODS
from proxy.server.forwarding import hops_left, request_headers
from proxy.server.mirror import Mirror
from proxy.server.websocket import ask_upstream, asks_for_websocket, check_handshake
from proxy.upstream.exchange import Head, Limits, Opening, RawHeaders, StreamedResponse, UpstreamRequest


def passthrough_action(
    route: RoutePlan,
    plan: ProxyPlan,
    upstream: Opening,
    upstream_plan: UpstreamPlan,
    server: ServerPlan,
    observer: Observer,
    mirror: Mirror | None = None,
) -> Callable[[Request], Awaitable[Response]]:
    """A service that passes requests through."""
    limits = _limits(plan, upstream_plan)
    make_headers = request_headers(plan, upstream_plan, server)
    allow = route.methods or METHODS
    make_response = response_maker(route.name, plan, upstream_plan, server)

    async def pass_through(request: Request) -> Response:
        if "Max-Forwards" in request.headers and hops_left(request) == 0:
            # We are who was asked (RFC 9110 §7.6.2). What came is not repeated, not even then.
            return Response(204 if request.method == "OPTIONS" else 405, CIMultiDict({"Allow": ", ".join(allow)}))
        upgrade = asks_for_websocket(request.headers)
        if upgrade:
            check_handshake(request, plan.websocket)
        scope = await build_scope(request, plan.roots)
        query = f"?{request.query}" if request.has_query else ""
        headers = make_headers(request, scope)
        if upgrade:
            ask_upstream(headers)
        outgoing = UpstreamRequest(
            method=request.method,
            target=plan.rewrite(request.path) + query,
            headers=list(headers.items()),
            body=None,
            max_body=0,  # of an answer that is not kept
            inform=partial(_inform, request.inform) if request.inform is not None else None,
            upgrade=upgrade,
            limits=limits,
        )
        if plan.hash_key is not None:
            outgoing.key = plan.hash_key(scope)
        body = await (request.open_body or request.read_body)(request.max_body)
        if isinstance(body, BodyStream):
            outgoing.stream = body
        else:
            outgoing.body = body or None
        if mirror is not None and not upgrade:
            mirror.copy(outgoing, request)
        call = _Call(request, route.name, plan.upstream, observer)
        try:
            answer = await call.open(upstream, outgoing, route.timeout_s)
        except GatewayError as error:
            call.ended(0, error.code)
            raise
        except BaseException:
            call.ended(0, None)
            raise
        return _respond(call, answer, partial(make_response, request, answer, outgoing.target, scope))

    return pass_through


def _respond(call: "_Call", answer: StreamedResponse, make_response: Callable[[], Response]) -> Response:
    """The response that is made of an answer, after whose end the call is over."""
    try:
        response = make_response()
    except BaseException as error:
        answer.close()
        call.ended(answer.status, error.code if isinstance(error, GatewayError) else None)
        raise
    if answer.status == 101:  # as a call, this is where it ends
        call.ended(101, None)
        return response
    # What is left of a body that the upstream did not want, nobody else wants either (RFC 9112 §9.3).
    response.close = not call.sent and (response.stream is None or answer.status >= 300)
    response.at_end(lambda: call.ended(answer.status, response.error))
    return response


class _Call:
    """The one call of a pass-through: its times, and what is told of it. `sent`: nothing of the request is left."""

    def __init__(self, request: Request, route: str, upstream: str, observer: Observer) -> None:
        self._request = request
        self._route = route
        self._upstream = upstream
        self._observer = observer
        self._started = monotonic()
        self._outgoing: UpstreamRequest | None = None
        self.sent = True

    async def open(self, upstream: Opening, outgoing: UpstreamRequest, timeout_s: float) -> StreamedResponse:
        """Wait for the head of the answer, within the route's time.

        A body that is still to come has times of its own on both sides; the route's counts from its end.
        """
        waiting = True
        self._outgoing = outgoing
        try:
            outgoing.deadline = self._request.received_at + timeout_s
            async with asyncio.timeout_at(outgoing.deadline) as limit:
                if outgoing.stream is not None:

                    def sent() -> None:
                        self.sent = True
                        if waiting:
                            outgoing.deadline = asyncio.get_running_loop().time() + timeout_s
                            limit.reschedule(outgoing.deadline)

                    self.sent = False
                    outgoing.sent = sent
                    outgoing.deadline = None
                    limit.reschedule(None)
                return await upstream.open(outgoing)
        except TimeoutError:
            raise DeadlineExceeded("the upstream did not answer within the route's time") from None
        finally:
            waiting = False

    def ended(self, status: int, error: str | None) -> None:
        """The answer is over, or there is none."""
        seconds = monotonic() - self._started
        began = round((self._started - self._request.received_at) * 1000, 3)
        requests = 1 + len((self._outgoing and self._outgoing.extra) or ())
        record = CallRecord(self._upstream, status, round(seconds * 1000, 3), error, requests, began)
        self._request.calls.append(record)
        self._observer(CallFinished(self._route, self._upstream, self._upstream, status, seconds, error))


def _limits(plan: ProxyPlan, upstream: UpstreamPlan) -> Limits | None:
    own = plan.timeouts
    if own is None:
        return None
    return Limits(
        upstream.connect_s if own.connect_s is None else own.connect_s,
        upstream.first_byte_s if own.first_byte_s is None else own.first_byte_s,
        upstream.idle_s if own.idle_s is None else own.idle_s,
    )


def _inform(inform: Callable[[int, Headers], None], status: int, raw_headers: RawHeaders) -> None:
    headers = Head(status, raw_headers).headers
    inform(status, end_to_end(headers, drop=("content-length",)))
