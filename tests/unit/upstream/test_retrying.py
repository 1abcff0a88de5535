import asyncio
from typing import Any

import pytest

from proxy.errors import UpstreamBusy, UpstreamInvalid, UpstreamTimeout, UpstreamUnreachable
from proxy.events import ExtraRequest
from proxy.message import BodyStream
from proxy.policy.retry import RetryPlan
from proxy.testing.virtual import run_virtually
from proxy.upstream.retrying import Retrying, retrying
from tests.unit.upstream.scripted import Scripted, Told, answer, end_of, extras, request

PLAN = RetryPlan(3, frozenset({503}), 0.1)
BAD, GOOD = answer(503), answer()


def run(way: Scripted, asked: Any = None, plan: RetryPlan = PLAN, told: Told | None = None, share: float = 0.2) -> Any:
    """The end of a request, in virtual time."""

    async def work() -> Any:
        mine = extras(Told() if told is None else told, share)
        return await end_of(retrying(way.begin, plan, mine), asked or request())

    return run_virtually(work())


def run_open(way: Scripted, asked: Any = None, plan: RetryPlan = PLAN) -> Any:
    async def work() -> Any:
        return await Retrying(way, plan, extras(Told())).open(asked or request())

    return run_virtually(work())


def test_what_is_well_is_asked_once() -> None:
    way = Scripted((1, GOOD))
    assert run(way) is GOOD
    assert len(way.requests) == 1


def test_each_wait_may_be_twice_the_one_before() -> None:
    way = Scripted((0, BAD), (0, UpstreamUnreachable()), (0, GOOD))
    assert run(way) is GOOD
    assert [at for what, _, at in way.log if what == "begun"] == [0.0, 0.1, 0.3]
    assert way.requests[0].extra == ["retry", "retry"]


def test_the_last_end_is_the_requests_own() -> None:
    last = UpstreamTimeout("the third")
    way = Scripted((0, BAD), (0, UpstreamInvalid()), (0, last))
    assert run(way) is last


def test_the_body_and_the_headers_are_sent_again_as_they_were() -> None:
    asked = request("PUT")
    asked.body = b"[1]"
    way = Scripted((0, BAD), (0, GOOD))
    run(way, asked)
    assert [one.body for one in way.requests] == [b"[1]", b"[1]"]
    assert way.requests[0].headers == way.requests[1].headers


def test_what_says_when_to_come_back_is_believed() -> None:
    way = Scripted((0, answer(503, **{"Retry-After": "3"})), (0, GOOD))
    run(way)
    assert ("begun", 1, 3.0) in way.log


def test_there_is_no_attempt_that_would_begin_too_late() -> None:
    way = Scripted((0, BAD))
    assert run(way, request(deadline=0.05)) is BAD


def test_an_empty_budget_ends_it() -> None:
    told = Told()
    plan = RetryPlan(20, frozenset({503}), 0.001)
    way = Scripted(*[(0, BAD)] * 20)
    assert run(way, None, plan, told, share=0.0) is BAD
    assert len(way.requests) == 11
    assert told[-1] == ExtraRequest("u", "retry", "denied")


def test_an_attempt_has_its_own_time() -> None:
    plan = RetryPlan(2, frozenset(), 0.1, per_try_s=1.0)
    way = Scripted((60, GOOD), (0, GOOD))
    assert run(way, None, plan) is GOOD
    assert ("cancelled", 0, 1.0) in way.log
    assert [one.deadline for one in way.requests] == [1.0, 2.1]


def test_the_time_of_an_attempt_is_never_longer_than_the_requests() -> None:
    plan = RetryPlan(2, frozenset(), 0.1, per_try_s=1.0)
    way = Scripted((0, GOOD))
    run(way, request(deadline=0.5), plan)
    assert way.requests[0].deadline == 0.5


def test_what_cannot_be_sent_is_raised_at_once() -> None:
    with pytest.raises(UpstreamBusy):
        run(Scripted((-1, UpstreamBusy())))


def test_an_attempt_that_cannot_begin_ends_it() -> None:
    refused = UpstreamBusy()
    assert run(Scripted((0, BAD), (-1, refused))) is refused


@pytest.mark.parametrize("seconds", [0.5, 1.05])
def test_cancelled_nothing_more_happens(seconds: float) -> None:
    way = Scripted((1, BAD), (5, GOOD))

    async def work() -> None:
        cancel = retrying(way.begin, PLAN, extras(Told()))(request(), lambda end: pytest.fail("it was cancelled"))
        await asyncio.sleep(seconds)
        cancel()
        await asyncio.sleep(60)

    run_virtually(work())
    assert len(way.requests) == 1


def test_a_streamed_answer_is_the_last_attempts() -> None:
    way = Scripted((0, BAD), (0, UpstreamUnreachable()), (0, GOOD))
    assert run_open(way).status == 200
    assert len(way.requests) == 3


def test_what_the_last_attempt_raised_is_raised() -> None:
    with pytest.raises(UpstreamTimeout):
        run_open(Scripted((0, BAD), (0, BAD), (0, UpstreamTimeout())))


def test_an_attempt_to_open_has_its_own_time() -> None:
    plan = RetryPlan(2, frozenset(), 0.1, per_try_s=1.0)
    way = Scripted((60, GOOD), (60, GOOD))
    with pytest.raises(UpstreamTimeout, match="1 s of an attempt"):
        run_open(way, None, plan)
    assert [what for what, _, _ in way.log] == ["begun", "cancelled"] * 2


def test_a_body_that_is_streamed_is_sent_once() -> None:
    asked = request("PUT")
    asked.stream = BodyStream()
    assert run_open(Scripted((0, BAD)), asked).status == 503


def test_a_body_that_is_streamed_goes_elsewhere_if_nobody_has_had_it() -> None:
    asked = request("PUT")
    asked.stream = BodyStream()
    assert run_open(Scripted((0, UpstreamUnreachable()), (0, GOOD)), asked).status == 200
