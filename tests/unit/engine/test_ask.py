import asyncio
from typing import Any

from proxy.engine.ask import Ask, Way
from proxy.engine.outcome import Done as DoneOutcome
from proxy.engine.outcome import Failed
from proxy.engine.timers import Timers
from proxy.errors import GatewayError, UpstreamFailed
from proxy.expr.urltemplate import UrlTemplate
from proxy.plan.nodes import CallPlan
from proxy.testing.virtual import run_virtually
from proxy.upstream.exchange import Cancel, Done, UpstreamRequest, UpstreamResponse

REQUEST = UpstreamRequest(method="GET", target="/", headers=[], body=None, max_body=9)


class Asking:
    """One request under way, answered by hand."""

    def __init__(self, timeout_s: float | None = None, fails: Exception | None = None, defect: bool = False) -> None:
        self.fails = fails
        self.defect = defect
        self.cancelled = 0
        self.ends: list[tuple[Any, int]] = []
        self.crashes: list[Exception] = []
        self.done: Done | None = None
        plan = CallPlan(
            name="x",
            index=0,
            upstream="u",
            method="GET",
            target=UrlTemplate("/", lambda scope: "/", ()),
            ok=frozenset({200}),
            max_body=9,
            timeout_s=timeout_s,
        )
        timers = None if timeout_s is None else Timers(asyncio.get_running_loop(), timeout_s)
        self.ask = Ask(plan, Way(self.begin, timers=timers), REQUEST, self.ended, self.crashes.append)

    def begin(self, request: UpstreamRequest, done: Done) -> Cancel:
        if self.fails is not None:
            raise self.fails
        self.done = done

        def cancel() -> None:
            self.cancelled += 1

        return cancel

    def ended(self, outcome: Any, status: int, seconds: float) -> None:
        if self.defect:
            raise RuntimeError("a defect")
        self.ends.append((outcome, status))

    def answer(self, answer: UpstreamResponse | Exception) -> None:
        assert self.done is not None
        self.done(answer)


async def test_an_answer_ends_it_with_what_it_means() -> None:
    asking = Asking()
    asking.answer(UpstreamResponse.of(200, {}, b"[1]"))
    [(outcome, status)] = asking.ends
    assert isinstance(outcome, DoneOutcome)
    assert (outcome.value, status) == ([1], 200)


async def test_a_failure_ends_it_without_a_status() -> None:
    asking = Asking()
    asking.answer(UpstreamFailed("broken"))
    [(outcome, status)] = asking.ends
    assert isinstance(outcome, Failed)
    assert status == 0


async def test_a_request_that_cannot_be_sent_ends_it_later_and_not_from_within() -> None:
    asking = Asking(fails=GatewayError("no"))
    assert asking.ends == []
    await asyncio.sleep(0)
    assert isinstance(asking.ends[0][0], Failed)


def test_the_time_of_its_call_ends_it_and_what_comes_later_is_not_heard() -> None:
    async def work() -> Asking:
        asking = Asking(timeout_s=0.5)
        await asyncio.sleep(1)
        asking.answer(UpstreamResponse.of(200, {}, b"1"))
        return asking

    asking = run_virtually(work())
    [(outcome, _)] = asking.ends
    assert (outcome.error.code, asking.cancelled) == ("upstream_timeout", 1)


async def test_cancelling_it_twice_or_when_it_is_over_is_nothing() -> None:
    asking = Asking()
    asking.ask.cancel()
    asking.ask.cancel()
    assert asking.cancelled == 1
    over = Asking()
    over.answer(UpstreamResponse.of(200, {}, b"1"))
    over.ask.cancel()
    assert over.cancelled == 0


async def test_a_defect_is_told_wherever_it_is() -> None:
    below, above = Asking(), Asking(defect=True)
    below.answer(RuntimeError("a defect"))
    above.answer(UpstreamResponse.of(200, {}, b"1"))
    assert (len(below.crashes), len(above.crashes)) == (1, 1)
    assert below.ends == []
