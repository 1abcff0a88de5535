import asyncio
from typing import Any

from proxy.errors import UpstreamFailed
from proxy.upstream.beginning import begin_by_task
from proxy.upstream.exchange import UpstreamRequest, UpstreamResponse

REQUEST = UpstreamRequest(method="GET", target="/", headers=[], body=None, max_body=1)
ANSWER = UpstreamResponse.of(200, {}, b"x")


async def begun(send: Any) -> tuple[list[Any], Any]:
    told: list[Any] = []
    return told, begin_by_task(send, REQUEST, told.append)


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_the_answer_or_the_error_is_told_once_and_never_from_within() -> None:
    async def answer(_: Any) -> UpstreamResponse:
        return ANSWER

    async def fail(_: Any) -> UpstreamResponse:
        raise UpstreamFailed("broken")

    told, _ = await begun(answer)
    failed, _ = await begun(fail)
    assert (told, failed) == ([], [])
    await settle()
    assert told == [ANSWER]
    assert [type(error) for error in failed] == [UpstreamFailed]


async def test_after_it_is_cancelled_nothing_is_told() -> None:
    gate = asyncio.Event()

    async def wait(_: Any) -> UpstreamResponse:
        await gate.wait()
        return ANSWER

    told, cancel = await begun(wait)
    left = cancel()
    assert left is not None
    await asyncio.wait([left])
    assert told == []


async def test_one_that_ended_just_before_it_is_cancelled_tells_nothing_either() -> None:
    async def answer(_: Any) -> UpstreamResponse:
        return ANSWER

    told, cancel = await begun(answer)
    await asyncio.sleep(0)  # the task has ended, its callback has not run
    assert cancel() is None
    await settle()
    assert told == []
