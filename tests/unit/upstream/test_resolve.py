import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest

from proxy.plan.upstreams import Endpoint
from proxy.upstream import resolve
from proxy.upstream.resolve import Resolved, resolve_forever, resolve_name

NAME = Endpoint("http", "catalog", 8002)


async def told_of(answers: list[Sequence[str] | OSError], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is told of while a resolver gives these answers."""
    monkeypatch.setattr(resolve, "EVERY_S", 0)
    told: list[list[str]] = []
    over = asyncio.Event()

    async def scripted(name: Endpoint) -> Resolved:
        assert name == NAME
        if not answers:
            over.set()
            await asyncio.Event().wait()
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return Resolved({replace(name, address=address): 1 for address in answer}, 0.0)

    def changed(found: Mapping[Endpoint, int]) -> None:
        told.append(sorted(one.address for one in found))

    task = asyncio.get_running_loop().create_task(resolve_forever("catalog", NAME, scripted, Random(1), changed))
    await over.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return told


async def test_a_name_stands_for_all_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
        return [(0, 0, 0, "", (address, port)) for address in ("10.0.0.1", "::1", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    assert [one.label for one in (await resolve_name(NAME)).weights] == ["10.0.0.1:8002", "[::1]:8002"]


async def test_a_change_is_told_once_and_order_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Sequence[str] | OSError] = [["10.0.0.2", "10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.3"]]
    assert await told_of(answers, monkeypatch) == [["10.0.0.1", "10.0.0.2"], ["10.0.0.3"]]


async def test_the_last_answer_is_kept_when_resolving_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Sequence[str] | OSError] = [["10.0.0.1"], OSError("no such name"), [], ["10.0.0.1"]]
    assert await told_of(answers, monkeypatch) == [["10.0.0.1"]]
