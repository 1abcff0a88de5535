"""The head of an upstream's answer as it goes back to the client."""

from collections.abc import Callable

from multidict import CIMultiDict

from proxy.expr.scope import Scope
from proxy.message import Request, Response, end_to_end
from proxy.plan.nodes import ServerPlan
from proxy.plan.proxying import ProxyPlan
from proxy.plan.upstreams import UpstreamPlan
from proxy.server.forwarding import change_headers, via_of
from proxy.server.rewriting import rewriting
from proxy.server.websocket import switched
from proxy.upstream.exchange import StreamedResponse

MakeResponse = Callable[[Request, StreamedResponse, str, Scope], Response]
"""Of the request, the answer to it, the target that was asked for, and what expressions read."""


def response_maker(route: str, plan: ProxyPlan, upstream: UpstreamPlan, server: ServerPlan) -> MakeResponse:
    """A function that makes a response of an answer. It raises what makes the answer impossible to pass on."""
    via = via_of(server)
    rewrite = rewriting(plan, upstream)
    changes = None if plan.response_headers.empty else plan.response_headers

    def make(request: Request, answer: StreamedResponse, target: str, scope: Scope) -> Response:
        status = answer.status
        keeps_length = request.method == "HEAD" and status != 101
        headers = end_to_end(answer.headers, drop=() if keeps_length else ("content-length",))
        headers.add("Via", via)
        if rewrite is not None:
            rewrite(headers, request, target)
        if changes is not None:
            change_headers(headers, changes, scope)
        return _switched(request, answer, headers) if status == 101 else _response(answer, headers)

    def _switched(request: Request, answer: StreamedResponse, headers: CIMultiDict[str]) -> Response:
        assert plan.websocket is not None  # otherwise it was not asked for, and the connection has refused it
        return switched(request, answer, headers, plan.websocket, route)

    return make


def _response(answer: StreamedResponse, headers: CIMultiDict[str]) -> Response:
    whole = answer.whole
    if whole is not None:
        return Response(answer.status, headers, whole, chunked=answer.length is None)
    if answer.length is None and "Trailer" in answer.headers:
        headers["Trailer"] = answer.headers["Trailer"]
    return Response(answer.status, headers, stream=answer)
