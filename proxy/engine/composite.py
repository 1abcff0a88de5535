"""The composite action as one function of a request: scope, run, respond."""

from collections.abc import Awaitable, Callable, Mapping

from multidict import CIMultiDict

from proxy.engine.context import build_scope
from proxy.engine.respond import respond
from proxy.engine.run import PassedBody, Run
from proxy.events import CallFinished, Observer
from proxy.message import CallRecord, Request, Response
from proxy.plan.nodes import CallPlan, CompositePlan, RoutePlan
from proxy.upstream.exchange import Upstream


def composite_action(
    route: RoutePlan,
    plan: CompositePlan,
    upstreams: Mapping[str, Upstream],
    forward: Mapping[str, tuple[str, ...]],
    observer: Observer,
) -> Callable[[Request], Awaitable[Response]]:
    """A service that composes. `forward` gives each upstream's additional client headers."""
    roots = plan.roots

    def on_call(call: CallPlan, record: CallRecord) -> None:
        observer(CallFinished(route.name, call.name, call.upstream, record.status, record.ms / 1000, record.error))

    async def compose(request: Request) -> Response:
        scope = await build_scope(request, roots)
        run = Run(plan, scope, request, upstreams, forward, on_call)
        try:
            await run.execute(request.received_at + route.timeout_s)
        except PassedBody as passed:
            headers = CIMultiDict({"Content-Type": "application/json"})
            return Response(passed.status, headers, passed.body, error=passed.code)
        return respond(plan, scope, run.outcomes)

    return compose
