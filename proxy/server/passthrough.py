"""The `proxy` action: one request to one upstream, its answer as it came. Buffered both ways."""

import asyncio
from collections.abc import Awaitable, Callable

from multidict import CIMultiDict

from proxy.clock import monotonic
from proxy.engine.context import build_scope
from proxy.errors import DeadlineExceeded, GatewayError
from proxy.events import CallFinished, Observer
from proxy.expr.scope import Scope
from proxy.message import CallRecord, Request, Response, end_to_end
from proxy.plan.fields import header_values
from proxy.plan.nodes import HeaderPlan, ProxyPlan, RoutePlan, UpstreamPlan
from proxy.upstream.exchange import Upstream, UpstreamRequest

VIA = "1.1 proxy-composer"
MAX_ANSWER = 64 * 1024 * 1024
# What a client says of the path it came: believed from trusted proxies only, so always written anew.
_FORWARDED = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "host",
    "content-length",
)


def passthrough_action(
    route: RoutePlan, plan: ProxyPlan, upstream: Upstream, upstream_plan: UpstreamPlan, observer: Observer
) -> Callable[[Request], Awaitable[Response]]:
    """A service that passes requests through."""

    async def pass_through(request: Request) -> Response:
        scope = await build_scope(request, plan.roots)
        body = await request.read_body(request.max_body)
        query = f"?{request.query}" if request.has_query else ""
        outgoing = UpstreamRequest(
            method=request.method,
            target=plan.rewrite(request.path) + query,
            headers=list(_request_headers(request, plan, upstream_plan, scope).items()),
            body=body or None,
            max_body=MAX_ANSWER,
        )
        started = monotonic()
        status, error_code = 0, None
        try:
            async with asyncio.timeout_at(request.received_at + route.timeout_s):
                answer = await upstream.send(outgoing)
            status = answer.status
        except TimeoutError:
            error_code = DeadlineExceeded.code
            raise DeadlineExceeded("the upstream did not answer within the route's time") from None
        except GatewayError as error:
            error_code = error.code
            raise
        finally:
            seconds = monotonic() - started
            began = round((started - request.received_at) * 1000, 3)
            record = CallRecord(plan.upstream, status, round(seconds * 1000, 3), error_code, started_ms=began)
            request.calls.append(record)
            observer(CallFinished(route.name, plan.upstream, plan.upstream, status, seconds, error_code))
        headers = end_to_end(answer.headers, drop=() if request.method == "HEAD" else ("content-length",))
        headers.add("Via", VIA)
        change_headers(headers, plan.response_headers, scope)
        return Response(answer.status, headers, answer.body)

    return pass_through


def _request_headers(request: Request, plan: ProxyPlan, upstream: UpstreamPlan, scope: Scope) -> CIMultiDict[str]:
    headers = end_to_end(request.headers, drop=_FORWARDED)
    if upstream.host == "preserve":
        headers["Host"] = request.host
    elif upstream.host != "upstream":
        headers["Host"] = upstream.host
    headers["X-Forwarded-For"] = request.client_ip
    headers["X-Forwarded-Proto"] = request.scheme
    if request.host:
        headers["X-Forwarded-Host"] = request.host
    headers["X-Request-Id"] = request.id
    headers.add("Via", VIA)
    change_headers(headers, plan.request_headers, scope)
    return headers


def change_headers(headers: CIMultiDict[str], plan: HeaderPlan, scope: Scope) -> None:
    """Remove, set, then add, as the route says."""
    for name in plan.remove:
        headers.popall(name, None)
    headers.update(header_values(plan.set, scope))
    for name, value in header_values(plan.add, scope):
        headers.add(name, value)
