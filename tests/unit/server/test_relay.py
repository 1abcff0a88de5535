import asyncio
from typing import Any

import pytest

from proxy.server.frames import close_frame
from proxy.server.relay import CLIENT_GONE, LINGER_S, UPSTREAM_GONE, Relay
from proxy.testing.virtual import run_virtually

TEXT, CLOSE = b"\x81\x02hi", b"\x88\x02\x03\xe8"
AWAY = close_frame(1001, masked=False)


class Transport(asyncio.Transport):
    """Remembers what is done with it. `buffered` is what the other end does not take."""

    def __init__(self, *, half_closes: bool = True) -> None:
        super().__init__()
        self.written = b""
        self.reading = True
        self.state = "open"
        self.buffered = 0
        self.half_closes = half_closes

    def write(self, data: Any) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return self.half_closes

    def write_eof(self) -> None:
        self.state = "shut"

    def close(self) -> None:
        self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"

    def is_closing(self) -> bool:
        return self.state in ("closed", "aborted")

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.buffered


class World:
    def __init__(self, idle_s: float = 60.0, *, half_closes: bool = True) -> None:
        self.done: list[Relay] = []
        self.relay = Relay(idle_s=idle_s, drain_s=1.0, done=self.done.append)
        self.client, self.upstream = Transport(half_closes=half_closes), Transport(half_closes=half_closes)
        self.relay.client.transport, self.relay.upstream.transport = self.client, self.upstream

    def begin(self, from_client: bytes = b"", from_upstream: bytes = b"") -> "World":
        self.relay.begin(b"101;", from_client, from_upstream)
        return self


async def test_what_comes_from_one_side_is_written_to_the_other() -> None:
    one = World().begin(b"early", b"first")
    assert (one.client.written, one.upstream.written) == (b"101;first", b"early")
    one.relay.client.data_received(TEXT)
    one.relay.upstream.data_received(TEXT)
    assert (one.client.written, one.upstream.written) == (b"101;first" + TEXT, b"early" + TEXT)
    assert (one.relay.client.received, one.relay.upstream.received) == (5 + len(TEXT), 5 + len(TEXT))


async def test_while_one_side_takes_nothing_the_other_is_not_read() -> None:
    one = World().begin()
    one.relay.client.pause_writing()
    assert (one.upstream.reading, one.client.reading) == (False, True)
    one.relay.client.resume_writing()
    assert one.upstream.reading


async def test_a_side_that_ends_with_a_close_frame_takes_the_other_along_without_an_error() -> None:
    one = World().begin()
    one.relay.client.data_received(CLOSE)
    assert one.relay.client.eof_received()
    assert one.upstream.state == "shut"
    one.relay.upstream.data_received(CLOSE)
    assert one.client.written.endswith(CLOSE)
    one.relay.upstream.eof_received()
    one.relay.upstream.connection_lost(None)
    one.relay.client.connection_lost(None)
    assert (one.done, one.relay.error) == ([one.relay], None)


@pytest.mark.parametrize("side,error", [("client", CLIENT_GONE), ("upstream", UPSTREAM_GONE)])
async def test_a_side_that_ends_without_one_is_why(side: str, error: str) -> None:
    one = World().begin()
    getattr(one.relay, side).connection_lost(None)
    assert one.relay.error == error
    other = one.relay.client if side == "upstream" else one.relay.upstream
    assert not other.transport.is_closing() or other.transport.state == "closed"
    other.connection_lost(None)
    assert one.done == [one.relay]


async def test_a_transport_that_cannot_be_half_closed_is_closed() -> None:
    one = World(half_closes=False).begin()
    assert not one.relay.client.eof_received()
    assert one.upstream.state == "closed"


def test_who_does_not_close_is_cut_off() -> None:
    async def work() -> None:
        one = World().begin()
        one.relay.client.connection_lost(None)
        await asyncio.sleep(LINGER_S - 0.1)
        assert one.upstream.state == "shut"
        await asyncio.sleep(0.2)
        assert one.upstream.state == "aborted"

    run_virtually(work())


def test_who_still_takes_what_was_written_is_not_cut_off() -> None:
    async def work() -> None:
        one = World().begin()
        one.upstream.buffered = 100
        one.relay.client.connection_lost(None)
        for left in (50, 20, 1):
            await asyncio.sleep(LINGER_S)
            assert one.upstream.state == "shut"
            one.upstream.buffered = left
        await asyncio.sleep(2 * LINGER_S + 0.1)
        assert one.upstream.state == "aborted"

    run_virtually(work())


def test_silence_of_both_sides_ends_it_with_1001() -> None:
    async def work() -> None:
        one = World(idle_s=10).begin()
        await asyncio.sleep(9)
        one.relay.client.data_received(TEXT)
        await asyncio.sleep(9)
        assert one.relay.error is None
        await asyncio.sleep(1.1)
        assert one.relay.error == "websocket_idle"
        assert one.client.written.endswith(AWAY)
        assert one.upstream.written[:-4][-4:-2] == b"\x88\x82"

    run_virtually(work())


async def test_leaving_waits_for_the_end_of_a_frame_that_is_under_way() -> None:
    one = World().begin()
    one.relay.upstream.data_received(TEXT[:3])
    one.relay.leave("drained")
    assert one.client.written == b"101;" + TEXT[:3]
    one.relay.upstream.data_received(TEXT[3:] + TEXT)
    assert one.client.written == b"101;" + TEXT + AWAY
    assert one.relay.error == "drained"


async def test_leaving_ends_each_side_when_it_has_answered() -> None:
    one = World().begin()
    one.relay.leave("drained")
    assert (one.client.state, one.upstream.state) == ("open", "open")
    one.relay.client.data_received(CLOSE)
    assert (one.client.state, one.upstream.state) == ("closed", "open")
    one.relay.upstream.data_received(CLOSE)
    assert one.upstream.state == "closed"
    assert one.client.written == b"101;" + AWAY


async def test_leaving_twice_says_goodbye_once() -> None:
    one = World().begin()
    one.relay.leave("drained")
    one.relay.leave("again")
    assert one.client.written == b"101;" + AWAY
    assert one.relay.error == "drained"
    one.relay.cut()
    assert (one.client.state, one.upstream.state) == ("aborted", "aborted")
