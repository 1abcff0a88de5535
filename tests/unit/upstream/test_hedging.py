import asyncio
from typing import Any

import pytest

from proxy.errors import UpstreamBusy, UpstreamUnreachable
from proxy.events import ExtraRequest
from proxy.testing.virtual import run_virtually
from proxy.upstream.hedging import hedging
from tests.unit.upstream.scripted import Scripted, Told, answer, end_of, extras, request

FIRST, SECOND, BAD = answer(200), answer(201), answer(500)


def run(way: Scripted, told: Told | None = None, share: float = 0.2, spent: int = 0) -> Any:
    async def work() -> Any:
        mine = extras(Told() if told is None else told, share)
        for _ in range(spent):
            mine.take("retry", request())
        return await end_of(hedging(way.begin, 0.06, mine), request())

    return run_virtually(work())


def test_what_answers_in_time_is_asked_once() -> None:
    way = Scripted((0.05, FIRST))
    assert run(way) is FIRST
    assert len(way.requests) == 1


def test_what_is_slow_gets_a_second_and_the_first_answer_counts() -> None:
    told = Told()
    way = Scripted((10, FIRST), (0.01, SECOND))
    assert run(way, told) is SECOND
    assert way.log == [("begun", 0, 0.0), ("begun", 1, 0.06), ("ended", 1, 0.07), ("cancelled", 0, 0.07)]
    assert list(told) == [ExtraRequest("u", "hedge", "sent"), ExtraRequest("u", "hedge", "won")]


def test_the_second_is_cancelled_if_the_first_answers_after_all() -> None:
    way = Scripted((0.1, FIRST), (10, SECOND))
    assert run(way) is FIRST
    assert ("cancelled", 1, 0.1) in way.log


def test_the_second_goes_to_another_endpoint() -> None:
    way = Scripted((10, FIRST), (0, SECOND))
    run(way)
    assert way.requests[0].tried is way.requests[1].tried
    assert way.requests[0].tried is not None
    assert way.requests[0].extra == ["hedge"]


def test_a_failure_in_time_is_the_end() -> None:
    error = UpstreamUnreachable()
    assert run(Scripted((0.01, error))) is error


@pytest.mark.parametrize("ill", [UpstreamUnreachable(), BAD])
def test_while_one_is_under_way_a_failure_is_not_the_end(ill: Any) -> None:
    assert run(Scripted((0.1, ill), (1, SECOND))) is SECOND
    assert run(Scripted((1, FIRST), (0.01, ill))) is FIRST


def test_if_both_fail_the_last_end_counts() -> None:
    error = UpstreamUnreachable()
    assert run(Scripted((0.1, BAD), (1, error))) is error


def test_without_a_budget_there_is_no_second() -> None:
    way = Scripted((1, FIRST))
    assert run(way, share=0.0, spent=10) is FIRST
    assert len(way.requests) == 1


def test_a_second_that_cannot_be_sent_changes_nothing() -> None:
    assert run(Scripted((1, FIRST), (-1, UpstreamBusy()))) is FIRST


@pytest.mark.parametrize("seconds, requests", [(0.01, 1), (0.1, 2)])
def test_cancelled_nothing_is_left_under_way(seconds: float, requests: int) -> None:
    way = Scripted((10, FIRST), (10, SECOND))

    async def work() -> None:
        cancel = hedging(way.begin, 0.06, extras(Told()))(request(), lambda end: pytest.fail("it was cancelled"))
        await asyncio.sleep(seconds)
        cancel()
        await asyncio.sleep(60)

    run_virtually(work())
    assert [what for what, _, _ in way.log] == ["begun"] * requests + ["cancelled"] * requests
