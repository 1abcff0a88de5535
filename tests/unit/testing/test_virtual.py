import asyncio

import pytest

from proxy.testing.virtual import Deadlock, run_virtually


def test_waiting_a_day_takes_no_time_but_counts() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.sleep(86_400)
        return loop.time() - started

    assert run_virtually(work()) == pytest.approx(86_400)


def test_timers_fire_in_their_order() -> None:
    order: list[int] = []

    async def one(seconds: int) -> None:
        await asyncio.sleep(seconds)
        order.append(seconds)

    async def work() -> None:
        await asyncio.gather(one(30), one(10), one(20))

    run_virtually(work())
    assert order == [10, 20, 30]


def test_a_time_out_comes_before_what_is_slower() -> None:
    async def work() -> None:
        async with asyncio.timeout(1):
            await asyncio.sleep(2)

    with pytest.raises(TimeoutError):
        run_virtually(work())


def test_waiting_for_what_never_comes_is_a_deadlock() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run_virtually(work())
