import asyncio

from proxy.engine.timers import Timers
from proxy.testing.virtual import run_virtually


def test_timers_ring_in_order_each_at_its_time() -> None:
    async def work() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        timers, rung = Timers(loop, 1.0), []
        timers.start(lambda: rung.append(("a", loop.time())))
        await asyncio.sleep(0.5)
        timers.start(lambda: rung.append(("b", loop.time())))
        await asyncio.sleep(2)
        timers.start(lambda: rung.append(("c", loop.time())))
        await asyncio.sleep(2)
        return rung

    assert run_virtually(work()) == [("a", 1.0), ("b", 1.5), ("c", 3.5)]


def test_one_that_is_taken_back_does_not_ring_and_is_not_kept() -> None:
    async def work() -> tuple[list[str], int]:
        timers, rung = Timers(asyncio.get_running_loop(), 1.0), []
        for _ in range(10):
            timers.start(lambda: rung.append("never")).cancel()
        timers.start(lambda: rung.append("b"))
        kept = len(timers._waiting)
        await asyncio.sleep(2)
        return rung, kept

    assert run_virtually(work()) == (["b"], 1)


def test_ringing_may_start_another() -> None:
    async def work() -> list[float]:
        loop = asyncio.get_running_loop()
        timers, rung = Timers(loop, 1.0), []

        def ring() -> None:
            rung.append(loop.time())
            if len(rung) < 3:
                timers.start(ring)

        timers.start(ring)
        await asyncio.sleep(5)
        return rung

    assert run_virtually(work()) == [1.0, 2.0, 3.0]


def test_all_of_a_duration_share_one_timer_of_the_loop() -> None:
    async def work() -> int:
        loop = asyncio.get_running_loop()
        timers = Timers(loop, 1.0)
        before = len(loop._scheduled)  # type: ignore[attr-defined]
        for _ in range(100):
            timers.start(lambda: None)
        return len(loop._scheduled) - before  # type: ignore[attr-defined]

    assert run_virtually(work()) == 1
