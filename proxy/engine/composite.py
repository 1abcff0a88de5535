"""The composite action as one function of a request: scope, run, respond."""

from collections.abc import Awaitable, Callable, Mapping

from multidict import CIMultiDict

from proxy.engine.context import add_body, scope_maker
from proxy.engine.negotiation import NotAcceptable, accepts
from proxy.engine.respond import respond
from proxy.engine.run import PassedBody, Run
from proxy.engine.ways import Shared, prepare
from proxy.events import CacheLooked, CallFinished, Observer
from proxy.message import CallRecord, Request, Response
from proxy.plan.nodes import CallPlan, CompositePlan, RoutePlan
from proxy.service import Layer, Service


class _Watcher:
    """Tells the observer what the calls of one route do."""

    __slots__ = ("_observer", "_route")

    def __init__(self, route: str, observer: Observer) -> None:
        self._route = route
        self._observer = observer

    def called(self, call: CallPlan, record: CallRecord) -> None:
        self._observer(
            CallFinished(self._route, call.name, call.upstream, record.status, record.ms / 1000, record.error)
        )

    def looked(self, call: CallPlan, result: str, count: int) -> None:
        self._observer(CacheLooked(self._route, call.name, result, count))


def composite_action(
    route: RoutePlan, plan: CompositePlan, shared: Shared, forward: Mapping[str, tuple[str, ...]], observer: Observer
) -> Callable[[Request], Awaitable[Response]]:
    """A service that composes. `forward` gives each upstream's additional client headers."""
    make_scope, reads_body = scope_maker(plan.roots), "body" in plan.roots
    prepared = prepare(plan, route.timeout_s, shared, forward)
    watcher = _Watcher(route.name, observer)

    async def compose(request: Request) -> Response:
        check_accept(request, plan.media_type)
        scope = make_scope(request)
        if reads_body:
            await add_body(scope, request)
        run = Run(prepared, scope, request, watcher)
        try:
            await run.execute(request.received_at + route.timeout_s)
        except PassedBody as passed:
            headers = CIMultiDict({"Content-Type": "application/json"})
            return Response(passed.status, headers, passed.body, error=passed.code)
        return respond(plan, scope, run.outcomes)

    return compose


def accepting(media_type: str | None) -> Layer:
    """Refuse who could not use the answer also where it is kept, and the composite itself is not asked."""

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            check_accept(request, media_type)
            return await inner(request)

        return checked

    return layer


def check_accept(request: Request, media_type: str | None) -> None:
    """Refuse, before anything is sent, a client that could not use the answer (RFC 9110 §15.5.7)."""
    if media_type is None or "Accept" not in request.headers:
        return
    accept = ", ".join(request.headers.getall("Accept"))
    if accept and not accepts(accept, media_type):
        raise NotAcceptable(f"the answer is {media_type}")
