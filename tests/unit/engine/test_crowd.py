from collections.abc import Callable
from typing import Any

from proxy.engine.ask import Way
from proxy.engine.crowd import Crowd
from proxy.engine.fanout import Part
from proxy.errors import UpstreamFailed
from proxy.expr.scope import Scope
from proxy.expr.urltemplate import UrlTemplate
from proxy.plan.nodes import CallPlan, FanPlan
from proxy.upstream.exchange import Cancel, Done, UpstreamRequest, UpstreamResponse


class Crowded:
    """A crowd of `count` requests, answered by hand."""

    def __init__(self, count: int, concurrency: int = 3, **call: Any) -> None:
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.ends = 0
        self.crashes: list[Exception] = []
        self.waiting: dict[str, Done] = {}
        fan = FanPlan(
            source=lambda scope: None,
            source_text="",
            client=False,
            size=None,
            distinct=True,
            concurrency=concurrency,
            tolerate=0.0,
            max_items=100,
        )
        target = UrlTemplate("/", lambda scope: "/", ())
        plan = CallPlan(
            name="x",
            index=0,
            upstream="u",
            method="GET",
            target=target,
            ok=frozenset({200}),
            max_body=9,
            fan=fan,
            **call,
        )
        self.parts = [Part((number,), Scope({}), request(number)) for number in range(count)]
        self.crowd = Crowd(plan, Way(self.begin), self.parts, self.answered, self.ended, self.crashes.append)

    def begin(self, request: UpstreamRequest, done: Done) -> Cancel:
        self.asked.append(request.target)
        self.waiting[request.target] = done

        def cancel() -> None:
            self.cancelled.append(request.target)

        return cancel

    def answered(self, part: Part, status: int, seconds: float) -> None:
        if part.elements[0] == 99:
            raise RuntimeError("a defect")

    def ended(self) -> None:
        self.ends += 1

    def answer(self, *targets: str, failing: bool = False) -> None:
        for target in targets:
            tell: Callable[[Any], None] = self.waiting.pop(target)
            tell(UpstreamFailed("broken") if failing else UpstreamResponse.of(200, {}, b"1"))


def request(number: int) -> UpstreamRequest:
    return UpstreamRequest(method="GET", target=f"/{number}", headers=[], body=None, max_body=9)


async def test_no_more_than_so_many_are_under_way_at_once() -> None:
    crowded = Crowded(5)
    assert crowded.asked == ["/0", "/1", "/2"]
    crowded.answer("/1")
    assert crowded.asked == ["/0", "/1", "/2", "/3"]
    crowded.answer("/0", "/2", "/3")
    assert crowded.ends == 0
    crowded.answer("/4")
    assert (crowded.ends, crowded.crashes) == (1, [])
    assert all(part.outcome is not None for part in crowded.parts)


async def test_when_nothing_can_change_the_outcome_the_rest_is_cancelled_and_nothing_begins() -> None:
    crowded = Crowded(9)
    crowded.answer("/1", failing=True)
    assert crowded.ends == 1
    assert crowded.cancelled == ["/0", "/2"]
    assert crowded.asked == ["/0", "/1", "/2"]


async def test_with_a_fallback_a_failure_is_one_of_many() -> None:
    crowded = Crowded(3, fallback=lambda scope: None)
    crowded.answer("/1", failing=True)
    assert (crowded.ends, crowded.cancelled) == (0, [])
    crowded.answer("/0", "/2")
    assert crowded.ends == 1


async def test_cancelling_it_cancels_all_and_begins_nothing_more() -> None:
    crowded = Crowded(5)
    assert crowded.crowd.cancel() == []
    assert crowded.cancelled == ["/0", "/1", "/2"]
    crowded.answer("/0")
    assert crowded.asked == ["/0", "/1", "/2"]
    assert crowded.ends == 0


async def test_a_defect_is_told_and_not_swallowed() -> None:
    crowded = Crowded(1)
    crowded.parts[0].elements = (99,)
    crowded.answer("/0")
    assert [type(crash) for crash in crowded.crashes] == [RuntimeError]
