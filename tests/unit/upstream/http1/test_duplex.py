import asyncio
from typing import Any

import pytest

from proxy.upstream.http1.duplex import HIGH_WATER, Duplex


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False
        self.reading = True

    def set_protocol(self, protocol: Any) -> None:
        pass

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.aborted = True


def opened(rest: bytes = b"") -> tuple[Duplex, Transport, list[bool]]:
    lost: list[bool] = []
    transport = Transport()
    return Duplex(transport, rest, lambda: lost.append(True)), transport, lost


async def test_bytes_go_both_ways() -> None:
    duplex, transport, _ = opened(b"with the head")
    assert await duplex.read() == b"with the head"
    reading = asyncio.get_running_loop().create_task(duplex.read())
    await asyncio.sleep(0)
    duplex.data_received(b"later")
    assert await reading == b"later"
    await duplex.write(b"up")
    assert transport.written == b"up"


async def test_who_does_not_read_makes_the_other_side_wait() -> None:
    duplex, transport, _ = opened()
    duplex.data_received(b"x" * (HIGH_WATER + 1))
    assert not transport.reading
    await duplex.read()
    assert transport.reading


async def test_who_writes_waits_for_the_transport() -> None:
    duplex, _, _ = opened()
    duplex.pause_writing()
    writing = asyncio.get_running_loop().create_task(duplex.write(b"x"))
    await asyncio.sleep(0)
    assert not writing.done()
    duplex.resume_writing()
    await writing


async def test_the_end_is_told_once_what_came_has_been_read() -> None:
    duplex, transport, lost = opened()
    duplex.data_received(b"last")
    assert not duplex.eof_received()
    duplex.connection_lost(None)
    assert await duplex.read() == b"last"
    assert await duplex.read() == b""
    with pytest.raises(ConnectionError):
        await duplex.write(b"x")
    assert lost == [True]
    duplex.close()
    assert transport.aborted
