"""What answers in a test: one stub upstream for each call, and the plan that sends each call to its own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import structs
from multidict import CIMultiDict

from proxy.config.route_tests import Stub
from proxy.document import encode_json
from proxy.errors import UpstreamFailed
from proxy.plan.nodes import CompositePlan, Plan, RoutePlan
from proxy.plan.proxying import ProxyPlan
from proxy.upstream.beginning import begin_by_task
from proxy.upstream.exchange import Arrived, Cancel, Done, StreamedResponse, UpstreamRequest, UpstreamResponse
from proxy.upstream.http1.connection import Unanswered


@dataclass(slots=True)
class StubUpstream:
    """Answers with its stubs in turn, the last one over and over, and counts what it was asked."""

    name: str
    stubs: Sequence[Stub]
    requests: int = 0

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        self.requests += 1
        if not self.stubs:
            raise UpstreamFailed("this test has no stub for it")
        stub = self.stubs[min(self.requests, len(self.stubs)) - 1]
        if stub.delay is not None:
            await asyncio.sleep(stub.delay)
        if stub.drop:
            raise Unanswered("the stub broke the connection")
        body = stub.body.encode() if stub.body is not None else _json(stub)
        headers = CIMultiDict({"Content-Type": "application/json", **stub.headers})
        return UpstreamResponse.of(stub.status, headers, body)

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        return Arrived(await self.send(request))

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        return begin_by_task(self.send, request, done)


def _json(stub: Stub) -> bytes:
    return encode_json(stub.json_) if "json_" in stub.model_fields_set else b""


def only(plan: Plan, route: RoutePlan) -> Plan:
    """The plan of one route alone, in which every call has an upstream of its own name, and nothing is mirrored."""
    match route.action:
        case CompositePlan(calls=calls) as action:
            own = tuple(structs.replace(call, upstream=call.name, shared=call.shared) for call in calls)
            upstreams = {call.name: replace(plan.upstreams[call.upstream], name=call.name) for call in calls}
            route = replace(route, action=structs.replace(action, calls=own))
        case ProxyPlan() as action:
            upstreams = {name: plan.upstreams[name] for name in action.variants}
            route = replace(route, action=replace(action, mirror=None))
        case _:
            upstreams = {}
    return replace(plan, upstreams=upstreams, routes=(route,))
