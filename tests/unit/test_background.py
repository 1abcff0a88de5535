import asyncio
import logging

import pytest

from proxy.background import Background


async def test_leaving_the_block_cancels_and_waits() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Background() as background:
        background.start("work", work())
        await started.wait()
    assert ended.is_set()


async def test_a_crash_is_logged_with_the_name_of_the_work(caplog: pytest.LogCaptureFixture) -> None:
    crashed = asyncio.Event()

    async def work() -> None:
        crashed.set()
        raise ValueError("on purpose")

    with caplog.at_level(logging.ERROR):
        async with Background() as background:
            background.start("the work", work())
            await crashed.wait()
            await asyncio.sleep(0)  # the callback of the finished task runs
    assert "the work crashed" in caplog.text
    assert "on purpose" in caplog.text


async def test_what_is_cancelled_on_leaving_is_no_crash(caplog: pytest.LogCaptureFixture) -> None:
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.Event().wait()

    async with Background() as background:
        background.start("work", work())
        await started.wait()
    assert caplog.text == ""


async def test_a_crash_does_not_end_the_other_work() -> None:
    crashed, go, survived = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def crash() -> None:
        crashed.set()
        raise ValueError("on purpose")

    async def other() -> None:
        await go.wait()
        survived.set()

    async with Background() as background:
        background.start("other", other())
        background.start("crash", crash())
        await crashed.wait()
        go.set()
        await asyncio.wait_for(survived.wait(), 10)
