import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from proxy.message import Request, Response
from proxy.server import listener

CLOSE = b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    "data,status",
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 65536 + b"\r\n" + CLOSE, 431),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n" + CLOSE, 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n" + CLOSE, 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" + CLOSE, 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)
async def test_what_the_parser_refuses_is_a_problem_document_and_is_observed(
    data: bytes, status: int, served: Any
) -> None:
    answer = await served.talk(data)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"application/problem+json" in head
    problem = json.loads(body)
    assert problem["status"] == status
    assert [event.response.status for event in served.events] == [status]
    assert f"X-Request-Id: {problem['request_id']}".encode() in head
    assert served.requests == []


async def test_requests_on_one_connection_are_served_in_turn(served: Any) -> None:
    one = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = await served.talk(one + b"GET /2 HTTP/1.1\r\nHost: a\r\n" + CLOSE)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert [request.raw_target for request in served.requests] == ["/1", "/2"]


async def test_closing_waits_for_what_is_under_way_and_takes_nothing_new(served: Any) -> None:
    let_go, inside = asyncio.Event(), asyncio.Event()

    async def hold(request: Request) -> Response:
        inside.set()
        await let_go.wait()
        return Response(200, body=b"late")

    served.serve = hold
    talking = asyncio.get_running_loop().create_task(served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    await inside.wait()
    closing = asyncio.get_running_loop().create_task(served.listener.close(5))
    await asyncio.sleep(0)  # it begins
    assert served.adapter.draining
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*served.address)
    let_go.set()
    answer = await talking
    assert answer.endswith(b"late")
    assert b"Connection: close" in answer
    assert await closing


async def test_closing_says_when_something_was_cut_off(served: Any) -> None:
    inside = asyncio.Event()

    async def hold(request: Request) -> Response:
        inside.set()
        await asyncio.Event().wait()
        return Response(200)

    served.serve = hold
    talking = asyncio.get_running_loop().create_task(served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    await inside.wait()
    assert not await served.listener.close(0.01)
    assert await talking == b""


async def test_too_many_headers_are_431(served: Any) -> None:
    headers = b"".join(b"X-%d: 1\r\n" % number for number in range(200))
    answer = await served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n" + headers + CLOSE)
    assert int(answer.split()[1]) == 431


async def test_a_client_that_goes_away_cancels_its_request(served: Any) -> None:
    inside, cancelled = asyncio.Event(), asyncio.Event()

    async def hold(request: Request) -> Response:
        inside.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Response(200)

    served.serve = hold
    _, writer = await asyncio.open_connection(*served.address)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(inside.wait(), 5)
    writer.close()
    await asyncio.wait_for(cancelled.wait(), 5)
    await asyncio.wait_for(served.adapter.wait_idle(), 5)


async def test_what_fails_outside_every_layer_is_a_problem_document_that_tells_nothing(
    served: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: Request) -> Response:
        raise RuntimeError("secret detail")

    served.serve = fail
    head, _, body = (await served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == 500
    assert json.loads(body)["code"] == "internal_error"
    assert b"secret" not in body
    assert "secret detail" in caplog.text


async def test_an_idle_connection_does_not_hold_up_closing(served: Any) -> None:
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 200")
    assert await served.listener.close(5)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_half_a_head_is_cut_off_with_408(served: Any) -> None:
    plan = replace(listener._DEFAULTS, header_s=0.2)
    served.listener._settings = lambda: plan
    answer = await served.talk(b"GET / HTTP/1.1\r\nHos")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer
    assert [event.response.status for event in served.events] == [408]


async def test_the_head_of_a_later_request_has_its_time_too(served: Any) -> None:
    plan = replace(listener._DEFAULTS, header_s=0.2)
    served.listener._settings = lambda: plan
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.write(b"GET /2")
    assert b"HTTP/1.1 408 " in await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_a_connection_that_says_nothing_is_closed_without_a_word(served: Any) -> None:
    plan = replace(listener._DEFAULTS, header_s=0.2)
    served.listener._settings = lambda: plan
    assert await served.talk(b"") == b""


async def test_a_connection_without_a_request_may_bring_one_more_during_a_stop(served: Any) -> None:
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    closing = asyncio.get_running_loop().create_task(served.listener.close(5, 5))
    await asyncio.sleep(0)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answer
    assert await closing
    writer.close()
