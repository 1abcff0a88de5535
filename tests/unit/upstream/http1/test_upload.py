import asyncio
from typing import Any

import pytest

from proxy.errors import BadRequest, GatewayError, UpstreamTimeout
from proxy.testing.virtual import run_virtually

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def sent(one: Any) -> bytes:
    """What has been written when the sending is over."""
    await asyncio.wait([one.answer._upload._task])
    written: bytes = one.transport.written
    return written


async def test_a_body_of_unknown_length_goes_in_chunks(stream: Any, pieces: Any) -> None:
    told: list[bool] = []
    one = stream("POST", stream=pieces(b"hello", b"x" * 17), sent=lambda: told.append(True))
    assert await sent(one) == b"HEAD5\r\nhello\r\n11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"
    assert told == [True]
    one.hear(OK)
    assert one.released == [True]


async def test_a_body_of_known_length_goes_as_it_is(stream: Any, pieces: Any) -> None:
    one = stream("POST", stream=pieces(b"ab", b"c", length=3))
    assert await sent(one) == b"HEADabc"
    one.answer.close()


@pytest.mark.parametrize("given", [(b"ab",), (b"ab", b"cd"), ()])
async def test_a_body_of_another_length_is_refused(given: tuple[bytes, ...], stream: Any, pieces: Any) -> None:
    one = stream("POST", stream=pieces(*given, length=3))
    with pytest.raises(BadRequest):
        await one.answer.begun()
    assert one.transport.aborted
    assert len(one.transport.written) <= len(b"HEADabc")


async def test_a_request_without_a_stream_is_sent_at_once(stream: Any) -> None:
    told: list[bool] = []
    stream(sent=lambda: told.append(True)).answer.close()
    assert told == [True]


async def test_the_sender_waits_while_the_transport_is_full(stream: Any, pieces: Any) -> None:
    one = stream("POST", stream=pieces(b"a", b"b"))
    one.connection.pause_writing()
    for _ in range(10):
        await asyncio.sleep(0)
    assert one.transport.written == b"HEAD1\r\na\r\n"
    one.connection.resume_writing()
    assert (await sent(one)).endswith(b"1\r\nb\r\n0\r\n\r\n")
    one.answer.close()


def test_an_upstream_that_takes_nothing_times_out(stream: Any, pieces: Any) -> None:
    async def work() -> None:
        one = stream("POST", stream=pieces(b"a", b"b"))
        one.transport.unwritten = 1000
        one.connection.pause_writing()
        await asyncio.sleep(1.5)
        one.transport.unwritten = 900  # it took something
        await asyncio.sleep(1.5)
        assert not one.answer._begun.done()
        with pytest.raises(UpstreamTimeout, match="took nothing of the request's body for 2 s"):
            await one.answer.begun()

    run_virtually(work())


def test_the_upstreams_time_begins_when_the_body_is_sent(stream: Any, never: Any) -> None:
    async def work() -> None:
        body = never()
        one = stream("POST", stream=body)
        await asyncio.sleep(60)  # a slow client is not the upstream's fault
        assert not one.answer._begun.done()
        one.connection.sent()
        with pytest.raises(UpstreamTimeout, match="begin to answer within 1 s"):
            await one.answer.begun()

    run_virtually(work())


async def test_a_defect_in_the_body_is_told_as_one(stream: Any, pieces: Any) -> None:
    one = stream("POST", stream=pieces(RuntimeError("secret")))
    with pytest.raises(GatewayError) as failed:
        await one.answer.begun()
    assert "secret" not in failed.value.detail
    assert "secret" in failed.value.internal


async def test_an_upstream_that_hangs_up_ends_the_sending(stream: Any, never: Any) -> None:
    one = stream("POST", stream=never())
    await asyncio.sleep(0)
    one.hear(ends=True)
    with pytest.raises(GatewayError):
        await one.answer.begun()
    assert not one.answer.still_sends


async def test_nothing_is_written_to_a_connection_that_is_closed(stream: Any, pieces: Any) -> None:
    one = stream("POST", stream=pieces(b"a"))
    one.connection.close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert one.transport.written == b"HEAD"
    assert not one.answer.still_sends
