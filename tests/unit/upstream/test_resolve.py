import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from proxy.plan.nodes import Endpoint
from proxy.upstream import resolve
from proxy.upstream.resolve import resolve_forever

NAME = Endpoint("http", "catalog", 8002)


async def told_of(answers: list[Sequence[str] | OSError], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is told of while a resolver gives these answers."""
    monkeypatch.setattr(resolve, "EVERY_S", 0)
    told: list[list[str]] = []
    over = asyncio.Event()

    async def scripted(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("catalog", 8002)
        if not answers:
            over.set()
            await asyncio.Event().wait()
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    task = asyncio.get_running_loop().create_task(
        resolve_forever("catalog", NAME, scripted, Random(1), lambda found: told.append([one.address for one in found]))
    )
    await over.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return told


async def test_a_change_is_told_once_and_order_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Sequence[str] | OSError] = [["10.0.0.2", "10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.3"]]
    assert await told_of(answers, monkeypatch) == [["10.0.0.1", "10.0.0.2"], ["10.0.0.3"]]


async def test_the_last_answer_is_kept_when_resolving_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Sequence[str] | OSError] = [["10.0.0.1"], OSError("no such name"), [], ["10.0.0.1"]]
    assert await told_of(answers, monkeypatch) == [["10.0.0.1"]]
