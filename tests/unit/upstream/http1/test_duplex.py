import asyncio
from typing import Any

from proxy.upstream.http1.duplex import HIGH_WATER, Duplex


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self.reading = True
        self.protocol: Any = None

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.aborted = True


class Taker(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set()


def opened(rest: bytes = b"") -> tuple[Duplex, Transport, list[str]]:
    lost: list[str] = []
    transport = Transport()
    return Duplex(transport, rest, lambda: lost.append("lost")), transport, lost


async def test_who_takes_it_gets_the_transport_and_what_came_so_far() -> None:
    duplex, transport, lost = opened(b"with the head, ")
    duplex.data_received(b"and later")
    taker = Taker()
    assert duplex.take(taker) == (transport, b"with the head, and later")
    assert transport.protocol is taker
    duplex.close()
    assert (transport.aborted, lost) == (False, [])


async def test_until_then_the_other_side_may_not_send_without_end() -> None:
    duplex, transport, _ = opened()
    duplex.data_received(b"x" * HIGH_WATER)
    assert transport.reading
    duplex.data_received(b"x")
    assert not transport.reading
    duplex.take(Taker())
    assert transport.reading


async def test_one_that_was_lost_before_tells_so_later() -> None:
    duplex, _, lost = opened(b"last words")
    assert not duplex.eof_received()
    duplex.connection_lost(None)
    assert lost == ["lost"]
    taker = Taker()
    assert duplex.take(taker)[1] == b"last words"
    assert not taker.lost.is_set()
    async with asyncio.timeout(5):
        await taker.lost.wait()


async def test_who_takes_it_says_when_it_is_over() -> None:
    duplex, _, lost = opened()
    duplex.when_lost(lambda: lost.append("told"))
    duplex.take(Taker())
    duplex.over()
    duplex.over()
    assert lost == ["lost", "told"]
    duplex.when_lost(lambda: lost.append("at once"))
    assert lost[-1] == "at once"


async def test_one_that_nobody_takes_is_closed() -> None:
    duplex, transport, _ = opened()
    duplex.close()
    assert transport.aborted
