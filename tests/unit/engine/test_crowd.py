import asyncio

import pytest

from proxy.engine.crowd import Enough, ask_all
from proxy.engine.fanout import Part
from proxy.expr.scope import Scope


def parts(count: int) -> list[Part]:
    return [Part((number,), Scope({})) for number in range(count)]


async def test_no_more_than_so_many_are_under_way_at_once() -> None:
    under_way = most = 0
    gate = asyncio.Event()

    async def ask(part: Part) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 3:
            gate.set()
        await gate.wait()
        under_way -= 1

    await asyncio.wait_for(ask_all(parts(10), 3, ask), 5)
    assert most == 3


async def test_enough_cancels_what_is_under_way_and_begins_nothing_more() -> None:
    begun, cancelled = [], []

    async def ask(part: Part) -> None:
        begun.append(part.elements[0])
        if part.elements[0] == 1:
            raise Enough
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(part.elements[0])
            raise

    await asyncio.wait_for(ask_all(parts(9), 2, ask), 5)
    assert (begun, cancelled) == ([0, 1], [0])


async def test_cancelling_it_cancels_all_and_leaves_no_task() -> None:
    started = asyncio.Event()

    async def ask(part: Part) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(ask_all(parts(5), 2, ask))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_nothing_to_ask_is_done_at_once() -> None:
    async def ask(part: Part) -> None:
        raise AssertionError

    await ask_all([], 8, ask)
