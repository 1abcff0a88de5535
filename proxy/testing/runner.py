"""Runs the tests of a plan: each in a loop of its own, with virtual time and nothing but stubs."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from proxy.clock import monotonic
from proxy.config.route_tests import RouteTest
from proxy.document import InvalidJson, decode_json, encode_json
from proxy.errors import GatewayError
from proxy.message import Request, Response
from proxy.plan.nodes import Plan, RoutePlan
from proxy.server.actions import Services
from proxy.server.dispatch import dispatch
from proxy.server.stack import build_server_stack
from proxy.service import Service
from proxy.testing.compare import differences
from proxy.testing.identity import Said
from proxy.testing.requests import single_request
from proxy.testing.stubs import StubUpstream, only
from proxy.testing.virtual import Deadlock, run_virtually


@dataclass(slots=True)
class Result:
    """How one test ended. No failures: it passed. `seconds` is real time."""

    route: str
    name: str
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run_tests(plan: Plan, route_name: str | None = None) -> list[Result]:
    """Run the tests of all routes, or of one, in the order of the file."""
    routes = [route for route in plan.routes if route_name in (None, route.name)]
    return [run_test(plan, route, test) for route in routes for test in route.tests]


def run_test(plan: Plan, route: RoutePlan, test: RouteTest) -> Result:
    """Run one test of a route."""
    started = monotonic()
    result = Result(route.name, test.name)
    try:
        result.failures = run_virtually(_run(plan, route, test))
    except Deadlock as deadlock:
        result.failures = [f"it never ends: {deadlock}"]
    result.seconds = monotonic() - started
    return result


async def _run(plan: Plan, route: RoutePlan, test: RouteTest) -> list[str]:
    alone = only(plan, route)
    stubs = {name: StubUpstream(name, test.stubs.get(name, ())) for name in alone.upstreams}
    services = Services(alone, stubs, lambda event: None, chance=Random(0), providers=Said(test.request.claims))
    serving = _Serving(plan, services, route.name)
    crashes: list[str] = []
    service = build_server_stack(
        dispatch(lambda: serving), lambda event: None, lambda request: crashes.append("it crashed; this is a defect")
    )
    request = make_request(test)
    response = await service(request)
    if request.route != route.name:
        where = f"route {request.route!r}" if request.route else "no route"
        return [f"{test.request.method} {test.request.path} is for {where}"]
    return [*crashes, *_unexpected(stubs), *_compare(test, response, stubs)]


class _Serving:
    """The generation that a test is dispatched to: all routes are matched, one is served."""

    def __init__(self, plan: Plan, services: Services, name: str) -> None:
        self.number = 0
        self.router = plan.router
        self.max_target = plan.server.max_target
        self.services: Mapping[str, Service] = _Only({name: services[name]})

    def __enter__(self) -> "_Serving":
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass


class _Only(dict[str, Service]):
    def __missing__(self, name: str) -> Service:
        raise GatewayError(f"the request is for route {name!r}")


def make_request(test: RouteTest) -> Request:
    """The request of a test, as an adapter would make it. Its time is the running loop's."""
    given = test.request
    body = encode_json(given.json_) if "json_" in given.model_fields_set else (given.body or "").encode()
    now = asyncio.get_running_loop().time()
    return single_request(given.method, given.path, given.headers.items(), body, now, given.client)


def _unexpected(stubs: Mapping[str, StubUpstream]) -> list[str]:
    return [
        f"call {stub.name!r} was made {stub.requests} times and has no stub"
        for stub in stubs.values()
        if stub.requests and not stub.stubs
    ]


def _compare(test: RouteTest, response: Response, stubs: Mapping[str, StubUpstream]) -> list[str]:
    expect = test.expect
    failures = []
    if response.status != expect.status:
        failures.append(f"status: expected {expect.status}, got {response.status} {_excerpt(response.body)}".rstrip())
    if "body" in expect.model_fields_set:
        failures += [f"body: {line}" for line in differences(expect.body, _body(response))]
    for name, value in expect.headers.items():
        got = response.headers.get(name)
        if got != value:
            failures.append(f"header {name}: expected {_header(value)}, got {_header(got)}")
    for name, count in expect.calls.items():
        if stubs[name].requests != count:
            failures.append(f"call {name}: expected {count} requests, got {stubs[name].requests}")
    return failures


def _header(value: str | None) -> str:
    return "none" if value is None else repr(value)


def _body(response: Response) -> Any:
    try:
        body = decode_json(response.body) if response.body else None
    except InvalidJson:
        return response.body.decode("utf-8", "replace")
    if isinstance(body, dict) and response.error is not None:
        body.pop("request_id", None)  # it is another each time
    return body


def _excerpt(body: bytes) -> str:
    return body[:300].decode("utf-8", "replace")
