import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.events import Event, RequestShed
from proxy.policy.shedding import FLOOR
from proxy.server.gate import Gate, refusal


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def gate(told: list[Event]) -> Gate:
    """One that has reached its limit of one request."""
    gate = Gate(told.append, wait_s=0.01)
    gate.policy.limit = 1
    gate.limit = gate.active = 1
    return gate


BASE: Any = SimpleNamespace(can_read_body=False)


async def entering(group: asyncio.TaskGroup, gate: Gate, count: int) -> list[asyncio.Task[Any]]:
    tasks = [group.create_task(gate.wait(BASE)) for _ in range(count)]
    await asyncio.sleep(0)
    assert gate.waiting == count
    return tasks


async def test_who_comes_last_is_let_in_first(gate: Gate) -> None:
    async with asyncio.TaskGroup() as group:
        first, second = await entering(group, gate, 2)
        gate.active -= 1
        gate.leave()
        assert await second is None
        assert (gate.active, gate.waiting, first.done()) == (1, 1, False)
        gate.active -= 1
        gate.leave()


async def test_who_has_waited_too_long_is_refused_and_that_is_told(gate: Gate, told: list[Event]) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = await entering(group, gate, 2)
    assert [answer.status for task in tasks if (answer := task.result())] == [503, 503]
    assert len([event for event in told if isinstance(event, RequestShed)]) == 2
    assert gate.active == 1


async def test_a_place_that_was_given_to_somebody_who_has_gone_is_given_on(gate: Gate) -> None:
    gate.wait_s = 60
    async with asyncio.TaskGroup() as group:
        first, second = await entering(group, gate, 2)
        gate.active -= 1
        gate.leave()
        second.cancel()
        assert await first is None
    assert gate.active == 1


async def test_somebody_who_has_gone_is_passed_over(gate: Gate, told: list[Event]) -> None:
    gate.wait_s = 60
    async with asyncio.TaskGroup() as group:
        (only,) = await entering(group, gate, 1)
        only.cancel()
        await asyncio.sleep(0)
        gate.active -= 1
        gate.leave()
    assert (gate.active, gate.waiting, told) == (0, 0, [])


async def test_nobody_looks_at_the_clock_before_there_is_something_in_hand() -> None:
    gate = Gate(lambda event: None)
    assert gate.limit == FLOOR
    gate.active = FLOOR
    assert await gate.wait(BASE) is None
    assert gate.active == FLOOR + 1
    assert gate.limit == float("inf")


async def test_other_limits_are_those_of_the_next(gate: Gate) -> None:
    gate.change(1.0, 1.0, 60.0)
    assert gate.wait_s == 60.0


def test_a_refusal_is_a_problem_that_says_when_to_come_back() -> None:
    answer = refusal(BASE)
    assert answer.status == 503
    assert answer._fields["Retry-After"] == "1"
    assert json.loads(answer._whole)["code"] == "overloaded"
    assert not answer._close


def test_a_connection_with_a_body_that_nobody_reads_is_closed() -> None:
    base: Any = SimpleNamespace(can_read_body=True)
    assert refusal(base)._close
