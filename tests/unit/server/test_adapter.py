import asyncio
import re
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import GatewayError
from proxy.message import Request, Response
from proxy.server.hops import parse_networks

CLOSE = b"Connection: close\r\n"


async def test_forwarded_headers_of_a_stranger_are_not_believed(served: Any) -> None:
    await served.talk(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n" + CLOSE + b"\r\n"
    )
    (request,) = served.requests
    assert (request.client_ip, request.scheme, request.host, request.way) == ("127.0.0.1", "http", "a", None)


async def test_forwarded_headers_of_a_trusted_proxy_are_believed(served: Any) -> None:
    served.trusted = parse_networks(("127.0.0.1",))
    await served.talk(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: b\r\n" + CLOSE + b"\r\n"
    )
    (request,) = served.requests
    assert (request.client_ip, request.scheme, request.host) == ("192.0.2.1", "https", "b")
    assert request.way is not None
    assert request.way.chain == ("192.0.2.1", "127.0.0.1")


@pytest.mark.parametrize("given,kept", [("abc-1.2:3_4", True), ("a b", False), ("x" * 129, False), ('"', False)])
async def test_a_request_id_is_kept_if_it_is_harmless(given: str, kept: bool, served: Any) -> None:
    answer = await served.talk(f"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: {given}\r\n".encode() + CLOSE + b"\r\n")
    assert (served.requests[0].id == given) is kept
    assert f"X-Request-Id: {served.requests[0].id}".encode() in answer


async def test_a_waiting_client_is_asked_for_its_body_only_when_it_is_wanted(served: Any) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(head + CLOSE + b"\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ab")
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"\r\n\r\nab")
    writer.close()


async def test_a_body_that_is_not_read_is_not_asked_for(served: Any) -> None:
    async def ignore(request: Request) -> Response:
        return Response(204)

    served.serve = ignore
    answer = await served.talk(
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + CLOSE + b"\r\n"
    )
    assert b"100 Continue" not in answer
    assert answer.startswith(b"HTTP/1.1 204")


async def read_fails(served: Any, request: bytes) -> GatewayError:
    failures: list[GatewayError] = []

    async def read(request: Request) -> Response:
        try:
            await request.read_body(10)
        except GatewayError as error:
            failures.append(error)
        return Response(200, close=True)

    served.serve = read
    await served.talk(request)
    return failures[0]


async def test_a_body_that_says_it_is_too_large_is_not_read(served: Any) -> None:
    error = await read_fails(served, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
    assert (error.status, error.close) == (413, True)


async def test_a_body_that_turns_out_too_large_is_cut_off(served: Any) -> None:
    chunk = b"b\r\n" + b"x" * 11 + b"\r\n"
    error = await read_fails(served, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
    assert error.status == 413


async def test_a_body_that_does_not_come_times_out(served: Any) -> None:
    served.body_s = 0.02
    error = await read_fails(served, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    assert (error.status, error.close) == (408, True)


async def test_an_expectation_that_is_not_known_is_417(served: Any) -> None:
    error = await read_fails(served, b"POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n")
    assert error.status == 417


async def test_an_answer_to_head_keeps_the_length_and_has_no_body(served: Any) -> None:
    async def head(request: Request) -> Response:
        return Response(200, CIMultiDict({"Content-Length": "100"}))

    served.serve = head
    answer = await served.talk(b"HEAD / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert b"Content-Length: 100" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_an_answer_without_a_type_gets_none(served: Any) -> None:
    async def untyped(request: Request) -> Response:
        return Response(200, body=b"x")

    served.serve = untyped
    answer = await served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert answer.endswith(b"\r\n\r\nx")
    assert b"Content-Type" not in answer


async def test_a_body_can_be_read_by_expressions_and_sent_on(served: Any) -> None:
    async def twice(request: Request) -> Response:
        return Response(200, body=await request.read_body(10) + await request.read_body(10))

    served.serve = twice
    answer = await served.talk(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" + CLOSE + b"\r\nab")
    assert answer.endswith(b"\r\n\r\nabab")


async def test_an_answer_may_close_the_connection(served: Any) -> None:
    async def close(request: Request) -> Response:
        return Response(200, close=True)

    served.serve = close
    answer = await served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"Connection: close" in answer


async def test_requests_under_way_are_counted(served: Any) -> None:
    let_go, inside = asyncio.Event(), asyncio.Event()

    async def hold(request: Request) -> Response:
        inside.set()
        await let_go.wait()
        return Response(200)

    served.serve = hold
    talking = asyncio.get_running_loop().create_task(served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n"))
    await inside.wait()
    assert served.adapter.in_flight == 1
    let_go.set()
    await talking
    await served.adapter.wait_idle()
    assert served.adapter.in_flight == 0


async def test_a_client_of_http_1_0_is_not_told_to_continue(served: Any) -> None:
    inside = asyncio.Event()

    async def read(request: Request) -> Response:
        inside.set()
        return Response(200, body=await request.read_body(10))

    served.serve = read
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(b"POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    await asyncio.wait_for(inside.wait(), 5)  # the body has not come yet
    writer.write(b"ab")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\nab")


async def test_a_request_without_an_id_gets_one_of_its_own(served: Any) -> None:
    await served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    first, second = served.requests
    assert re.fullmatch("[0-9a-f]{32}", first.id)
    assert first.id != second.id


async def test_an_interim_answer_comes_before_the_answer(served: Any) -> None:
    async def hint(request: Request) -> Response:
        if request.inform is not None:
            request.inform(103, CIMultiDict([("Link", "</a.css>"), ("X-A", "\udcff")]))
        return Response(200, body=b"x")

    served.serve = hint
    answer = await served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nX-A: \xff\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert (await served.talk(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "method,version,framed", [("GET", "1.1", b"chunked"), ("GET", "1.0", b"Content-Length: 1"), ("HEAD", "1.1", b"")]
)
async def test_a_length_that_was_not_declared_is_not_declared(
    method: str, version: str, framed: bytes, served: Any
) -> None:
    async def unsized(request: Request) -> Response:
        return Response(200, body=b"" if method == "HEAD" else b"x", chunked=True)

    served.serve = unsized
    answer = await served.talk(f"{method} / HTTP/{version}\r\nHost: a\r\n".encode() + CLOSE + b"\r\n")
    assert framed in answer
    assert (b"Content-Length" in answer) is (framed == b"Content-Length: 1")
