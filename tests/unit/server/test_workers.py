import asyncio
import signal
import sys

import pytest

from proxy.server.workers import Workers, pause_after, python_command

SERVES = "import os,sys,time; os.write(int(sys.argv[1]), b'ready https\\n'); time.sleep(100)"


def workers(count: int, code: str) -> Workers:
    return Workers(count, lambda number, channel: [sys.executable, "-c", code, str(channel)], [], lambda _: 0.01)


def test_the_pause_doubles_up_to_half_a_minute() -> None:
    assert [pause_after(failures) for failures in (1, 2, 3, 7, 50)] == [0.5, 1, 2, 30, 30]


async def test_all_start_and_all_stop() -> None:
    group = workers(3, SERVES)
    assert await group.start() == 0
    assert [worker.word for worker in group.ready] == ["https"] * 3
    await group.stop()
    assert [worker.process.returncode for worker in group.all if worker.process] == [-signal.SIGTERM] * 3


async def test_one_that_crashes_is_started_again_after_a_pause() -> None:
    group = workers(1, SERVES)
    await group.start()
    worker = group.all[0]
    first = worker.pid
    worker.process.kill()  # type: ignore[union-attr]
    async with asyncio.timeout(10):
        while not (worker.ready and worker.pid != first):  # noqa: ASYNC110 – another process
            await asyncio.sleep(0.01)
    assert worker.restarts == 1
    await group.stop()


async def test_a_first_one_that_cannot_start_ends_it_all_with_its_exit_code() -> None:
    assert await workers(2, "raise SystemExit(2)").start() == 2


def test_the_command_is_this_program() -> None:
    assert python_command("serve")[-2:] == ["proxy", "serve"]


@pytest.mark.parametrize("number", [signal.SIGHUP])
async def test_a_signal_is_passed_on(number: signal.Signals) -> None:
    group = workers(1, SERVES)
    await group.start()
    group.let_end()
    group.signal(number)
    process = group.all[0].process
    assert process is not None
    assert await process.wait() == -number
    await group.stop()
