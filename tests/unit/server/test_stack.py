import asyncio
import json
from typing import Any

import pytest

from proxy.errors import MethodNotAllowed, UpstreamFailed
from proxy.events import Event, RequestFinished
from proxy.message import BodyStream, Request, Response
from proxy.server.stack import build_server_stack


def make(action: Any, events: list[Event], unexpected: list[Request]) -> Any:
    return build_server_stack(action, events.append, unexpected.append)


async def test_an_answer_is_observed(request_of: Any) -> None:
    async def action(request: Request) -> Response:
        return Response(201)

    events: list[Event] = []
    await make(action, events, [])(request_of(generation=3))
    (event,) = events
    assert isinstance(event, RequestFinished)
    assert (event.response.status, event.generation) == (201, 3)
    assert event.seconds >= 0


async def test_an_error_becomes_a_problem_document_with_its_headers(request_of: Any) -> None:
    async def action(request: Request) -> Response:
        raise MethodNotAllowed("POST", ("GET",))

    response = await make(action, [], [])(request_of(route="page"))
    assert response.status == 405
    assert response.headers["Allow"] == "GET"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert json.loads(response.body)["route"] == "page"


async def test_what_was_not_foreseen_is_logged_and_tells_the_client_nothing(request_of: Any) -> None:
    async def action(request: Request) -> Response:
        raise RuntimeError("secret detail")

    events: list[Event] = []
    unexpected: list[Request] = []
    response = await make(action, events, unexpected)(request_of())
    assert response.status == 500
    assert b"secret" not in response.body
    assert len(unexpected) == 1
    assert len(events) == 1


async def test_a_client_that_went_away_is_observed_as_499(request_of: Any) -> None:
    inside = asyncio.Event()

    async def action(request: Request) -> Response:
        inside.set()
        await asyncio.Event().wait()
        return Response(200)

    events: list[Any] = []
    task = asyncio.get_running_loop().create_task(make(action, events, [])(request_of()))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [event.response.status for event in events] == [499]


async def test_an_error_may_ask_to_close_the_connection(request_of: Any) -> None:
    async def action(request: Request) -> Response:
        error = UpstreamFailed("x")
        error.close = True
        raise error

    response = await make(action, [], [])(request_of())
    assert response.close
    assert response.error == "upstream_failed"


async def test_a_streamed_answer_is_observed_when_it_has_ended(request_of: Any) -> None:
    class Body(BodyStream):
        length = None

    async def action(request: Request) -> Response:
        return Response(200, stream=Body())

    events: list[Event] = []
    response = await make(action, events, [])(request_of())
    assert events == []
    response.end()
    (event,) = events
    assert isinstance(event, RequestFinished)
    assert event.response is response


@pytest.mark.parametrize("failure", [None, UpstreamFailed("no"), RuntimeError("a defect")])
async def test_what_was_to_be_told_goes_with_every_answer(failure: Exception | None, request_of: Any) -> None:
    async def action(request: Request) -> Response:
        request.told = [("Vary", "Origin"), ("Set-Cookie", "a=1")]
        if failure is not None:
            raise failure
        return Response(200)

    headers = (await make(action, [], [])(request_of())).headers
    assert (headers["Vary"], headers["Set-Cookie"]) == ("Origin", "a=1")
