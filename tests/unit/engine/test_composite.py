from typing import Any

import pytest

from proxy.cache.flights import Flights
from proxy.cache.memory import MemoryStore
from proxy.engine.composite import accepting, composite_action
from proxy.engine.negotiation import NotAcceptable
from proxy.engine.ways import Shared
from proxy.errors import GatewayError
from proxy.events import CallFinished, Event
from proxy.message import Request, Response
from proxy.service import stack


async def compose(route: Any, request: Any, hand: Any, events: list[Event]) -> Any:
    shared = Shared({"u": hand}, {}, Flights(), MemoryStore(10**6))
    return await composite_action(route, route.action, shared, {"u": ()}, events.append)(request)


async def test_a_request_becomes_one_answer_and_an_event_for_each_call(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    events: list[Event] = []
    route = route_of("calls: {a: {get: 'u:/a/${params.id}'}, b: {get: 'u:/b', fallback: null}}\nmerge: [$.a, $.b]")
    hand.answer("/a/7", 1)
    hand.answer("/b", 2, 500)
    request = request_of()
    response = await compose(route, request, hand, events)
    assert (response.status, response.body) == (200, b"[1,null]")
    finished = [event for event in events if isinstance(event, CallFinished)]
    assert {(event.call, event.status, event.error) for event in finished} == {
        ("a", 200, None),
        ("b", 500, "upstream_status"),
    }
    assert sorted(record.name for record in request.calls) == ["a", "b"]


async def test_a_passed_body_is_the_answer(route_of: Any, request_of: Any, hand: Any) -> None:
    route = route_of("calls: {a: {get: 'u:/a', pass_status: 404, pass_body: true}}")
    hand.answer("/a", b'{"gone":true}', 404, {"Content-Type": "application/json"})
    response = await compose(route, request_of(), hand, [])
    assert (response.status, response.body) == (404, b'{"gone":true}')


async def test_a_required_failure_is_raised_with_its_call(route_of: Any, request_of: Any, hand: Any) -> None:
    hand.answer("/a", 1, 500)
    with pytest.raises(GatewayError) as failed:
        await compose(route_of("calls: {a: {get: 'u:/a'}}"), request_of(), hand, [])
    assert (failed.value.status, failed.value.call) == (502, "a")


async def test_a_client_that_takes_no_json_is_refused_before_anything_is_sent(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    with pytest.raises(GatewayError) as failed:
        await compose(route_of("calls: {a: {get: 'u:/a'}}"), request_of(headers={"Accept": "text/html"}), hand, [])
    assert (failed.value.status, failed.value.code) == (406, "not_acceptable")
    assert hand.sent == []


@pytest.mark.parametrize("written,accept", [("text/csv", "text/csv"), ("$.query.t", "image/png")])
async def test_the_type_that_a_route_writes_is_the_one_to_accept(
    written: str, accept: str, route_of: Any, request_of: Any, hand: Any
) -> None:
    route = route_of(f"calls: {{a: {{get: 'u:/a'}}}}\nrespond: {{headers: {{Content-Type: '{written}'}}}}")
    hand.answer("/a", 1)
    assert (await compose(route, request_of(headers={"Accept": accept}), hand, [])).status == 200


async def test_who_could_not_use_the_answer_is_refused_before_anything_is_looked_for(request_of: Any) -> None:
    async def inner(request: Request) -> Response:
        return Response(200)

    serve = stack(inner, accepting("application/json"))
    assert (await serve(request_of(headers={"Accept": "application/*"}))).status == 200
    with pytest.raises(NotAcceptable):
        await serve(request_of(headers={"Accept": "text/html"}))
