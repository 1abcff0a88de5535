import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.errors import BadRequest, GatewayError, UpstreamInvalid, UpstreamTimeout
from proxy.testing.virtual import run_virtually
from proxy.upstream.http1.connection import Unanswered
from proxy.upstream.http1.streamed import HIGH_WATER

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_what_came_at_once_is_whole_at_once(stream: Any) -> None:
    one = stream().hear(OK + b"X-A: 1\r\nContent-Length: 2\r\n\r\nab")
    answer = await one.answer.begun()
    assert (answer.status, answer.length, answer.whole) == (200, 2, b"ab")
    assert answer.headers["x-a"] == "1"
    assert one.released == [True]


@pytest.mark.parametrize(
    "method,data",
    [
        ("HEAD", OK + b"Content-Length: 500\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n"),
    ],
)
async def test_an_answer_that_has_no_body_is_whole(method: str, data: bytes, stream: Any) -> None:
    one = stream(method).hear(data)
    assert (await one.answer.begun()).whole == b""
    assert one.released == [True]


async def test_pieces_are_read_as_they_come(stream: Any) -> None:
    one = stream().hear(CHUNKED)
    answer = await one.answer.begun()
    assert (answer.whole, answer.length) == (None, None)
    reading = asyncio.get_running_loop().create_task(answer.read())
    await asyncio.sleep(0)
    assert not reading.done()
    one.hear(b"2\r\nab\r\n")
    assert await reading == b"ab"
    one.hear(b"1\r\nc\r\n1\r\nd\r\n")
    assert await answer.read() == b"cd"
    one.hear(b"0\r\n\r\n")
    assert await answer.read() == b""
    assert await answer.read() == b""
    assert one.released == [True]


async def test_the_fields_after_a_body_are_its_trailers(stream: Any) -> None:
    one = stream().hear(CHUNKED, b"1\r\na\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n")
    assert await one.rest() == b"a"
    assert one.answer.trailers == [("X-Sum", "1"), ("x-sum", "2")]


async def test_too_many_trailers_are_invalid(stream: Any) -> None:
    one = stream().hear(CHUNKED + b"1\r\na\r\n0\r\n" + b"A: b\r\n" * 20_000)
    with pytest.raises(UpstreamInvalid):
        await one.answer.begun()


async def test_an_answer_of_unknown_length_ends_with_the_connection(stream: Any) -> None:
    one = stream().hear(OK + b"\r\nab", b"c", ends=True)
    assert await one.rest() == b"abc"
    assert one.released == [False]


async def test_the_upstream_waits_while_nobody_reads_and_goes_on_when_somebody_has(stream: Any) -> None:
    one = stream().hear(OK + b"Content-Length: 1000000\r\n\r\n")
    piece = b"x" * (HIGH_WATER // 2)
    one.hear(piece)
    assert one.transport.reading
    one.hear(piece, b"x")
    assert not one.transport.reading
    assert await one.answer.read() == piece
    assert not one.transport.reading
    await one.answer.read()
    assert one.transport.reading
    one.answer.close()


async def test_a_connection_that_was_paused_when_its_answer_ended_can_be_used_again(stream: Any) -> None:
    size = HIGH_WATER + 2
    one = stream().hear(OK + b"Content-Length: %d\r\n\r\n" % size, b"x" * (size - 1), b"x")
    assert one.transport.reading
    assert one.released == [True]
    assert len(await one.rest()) == size


def test_the_time_in_which_the_upstream_must_wait_does_not_count(stream: Any) -> None:
    async def work() -> None:
        one = stream().hear(OK + b"Content-Length: 1000000\r\n\r\n", b"x" * (HIGH_WATER + 1))
        await asyncio.sleep(60)
        assert len(await one.answer.read()) == HIGH_WATER + 1
        with pytest.raises(UpstreamTimeout, match="paused for 2 s"):
            await one.answer.read()

    run_virtually(work())


async def test_closing_before_the_end_closes_the_connection(stream: Any) -> None:
    one = stream().hear(OK + b"Content-Length: 9\r\n\r\nab")
    reading = asyncio.get_running_loop().create_task(one.rest())
    await asyncio.sleep(0)
    one.answer.close()
    one.answer.close()
    assert one.transport.aborted
    assert one.released == [False]
    with pytest.raises(GatewayError):
        await reading


async def test_closing_after_the_end_does_nothing(stream: Any) -> None:
    one = stream().hear(OK + b"Content-Length: 1\r\n\r\na")
    one.answer.close()
    assert not one.transport.aborted
    assert one.released == [True]


async def test_what_came_before_an_answer_broke_off_is_still_read(stream: Any) -> None:
    one = stream().hear(OK + b"Content-Length: 9\r\n\r\nab")
    answer = await one.answer.begun()
    one.hear(ends=True)
    assert answer.whole is None
    assert await answer.read() == b"ab"
    with pytest.raises(UpstreamInvalid):
        await answer.read()


@pytest.mark.parametrize(
    "data,error", [(b"", Unanswered), (b"garbage\r\n\r\n", UpstreamInvalid), (OK + b"Content-L", UpstreamInvalid)]
)
async def test_an_answer_that_does_not_begin_is_an_error(data: bytes, error: type[Exception], stream: Any) -> None:
    one = stream().hear(*([data] if data else []))
    if not one.connection.closed:
        one.hear(ends=True)
    with pytest.raises(error):
        await one.answer.begun()


async def test_cancelling_before_the_head_closes_the_connection(stream: Any) -> None:
    one = stream()
    waiting = asyncio.get_running_loop().create_task(one.answer.begun())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert one.transport.aborted
    assert one.released == [False]


async def test_early_hints_are_told_and_other_interim_answers_are_not(stream: Any) -> None:
    told: list[Any] = []
    one = stream(inform=lambda status, headers: told.append((status, headers)))
    one.hear(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 102 P\r\n\r\n")
    assert told == [(103, [(b"Link", b"x")])]
    one.hear(OK + b"A: b\r\nContent-Length: 0\r\n\r\n")
    assert list((await one.answer.begun()).headers.items()) == [("A", "b"), ("Content-Length", "0")]


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\nX-A: b\r\n\r\n"


async def test_another_protocol_that_was_asked_for_takes_the_connection(stream: Any) -> None:
    one = stream(upgrade=True).hear(SWITCHING + b"raw")
    answer = await one.answer.begun()
    assert (answer.status, answer.headers["X-A"]) == (101, "b")
    assert one.released == []
    ended = []
    answer.when_over(lambda: ended.append(1))
    assert answer.duplex.take(asyncio.Protocol()) == (one.transport, b"raw")
    answer.duplex.over()
    assert ended == [1]
    assert one.released == [False]


@pytest.mark.parametrize("data", [SWITCHING, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"])
async def test_another_protocol_that_was_not_asked_for_is_invalid(data: bytes, stream: Any) -> None:
    with pytest.raises(UpstreamInvalid):
        await stream().hear(data).answer.begun()


async def test_an_upgrade_that_names_no_protocol_is_invalid(stream: Any) -> None:
    with pytest.raises(UpstreamInvalid):
        await stream(upgrade=True).hear(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").answer.begun()


async def test_an_upgrade_that_is_refused_is_an_ordinary_answer(stream: Any) -> None:
    one = stream(upgrade=True).hear(OK + b"Content-Length: 1\r\n\r\na")
    assert (await one.answer.begun()).whole == b"a"
    assert one.answer.duplex is None


async def test_a_protocol_after_the_answer_is_not_taken(stream: Any) -> None:
    one = stream(upgrade=True).hear(OK + b"Content-Length: 1\r\n\r\na" + SWITCHING)
    assert (await one.answer.begun()).whole == b"a"
    assert one.released == [False]


async def test_a_body_that_breaks_off_ends_the_exchange(stream: Any, pieces: Any) -> None:
    error = BadRequest("broken")
    one = stream("POST", stream=pieces(b"a", error))
    with pytest.raises(BadRequest):
        await one.answer.begun()
    assert one.transport.aborted
    assert one.released == [False]


async def test_a_refusal_while_the_body_is_sent_stops_the_sending_and_is_delivered(stream: Any, never: Any) -> None:
    one = stream("POST", stream=never())
    await asyncio.sleep(0)
    assert one.answer.still_sends
    one.hear(b"HTTP/1.1 413 Too Large\r\nContent-Length: 1\r\n\r\nx")
    answer = await one.answer.begun()
    assert (answer.status, answer.whole, answer.still_sends) == (413, b"x", False)
    assert one.released == [False]  # what was not sent would be taken for the next request


async def test_an_answer_may_come_while_the_body_is_sent(stream: Any, never: Any) -> None:
    one = stream("POST", stream=never()).hear(CHUNKED)
    answer = await one.answer.begun()
    assert answer.still_sends
    one.hear(b"5\r\nfirst\r\n")
    assert await answer.read() == b"first"
    one.hear(b"0\r\n\r\n")
    assert await answer.read() == b""
    assert not answer.still_sends
    assert one.released == [False]


async def test_a_streamed_answer_says_how_it_stands(stream: Any) -> None:
    one = stream().hear(OK + b"Content-Length: 2\r\n\r\na")
    assert repr(one.answer) == "<Streamed 200, open, 1 bytes waiting>"
    one.hear(b"b")
    assert repr(one.answer) == "<Streamed 200, ended, 2 bytes waiting>"


ANSWERS = st.sampled_from(
    [
        (OK + b"Content-Length: 5\r\nX-A: b\r\n\r\nhello", []),
        (CHUNKED[:-2] + b"X-A: b\r\n\r\n2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\nT: x\r\n\r\n", [("T", "x")]),
        (b"HTTP/1.1 103 E\r\nX-A: c\r\n\r\n" + OK + b"X-A: b\r\nContent-Length: 5\r\n\r\nhello", []),
    ]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANSWERS, st.lists(st.integers(1, 100), max_size=12))
def test_however_an_answer_is_cut_it_is_the_same(stream: Any, answer: tuple[bytes, Any], cuts: list[int]) -> None:
    async def work() -> None:
        data, trailers = answer
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        one = stream().hear(*(data[start:end] for start, end in pairwise(edges)))
        assert (await one.answer.begun()).headers["x-a"] == "b"
        assert await one.rest() == b"hello"
        assert one.answer.trailers == trailers
        assert one.released == [True]

    asyncio.run(work())


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([OK, b"\r\n", CHUNKED, SWITCHING])), max_size=6),
    st.booleans(),
)
def test_whatever_comes_ends_in_an_answer_or_an_error(stream: Any, chunks: list[bytes], upgrade: bool) -> None:
    async def work() -> None:
        one = stream(upgrade=upgrade).hear(*chunks)
        if not one.connection.closed and one.answer.duplex is None:
            one.hear(ends=True)
        try:
            answer = await one.answer.begun()
            assert answer.status == 101 or isinstance(await one.rest(), bytes)
        except GatewayError:
            assert one.transport.aborted
        assert len(one.released) == (one.answer.duplex is None)

    asyncio.run(work())
