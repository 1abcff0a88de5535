from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.engine.schedule import Schedule, State, order_of
from proxy.expr.urltemplate import UrlTemplate
from proxy.plan.nodes import CallPlan


def call(index: int, requires: Any = (), fallback: Any = (), lazy: bool = False) -> CallPlan:
    return CallPlan(
        name=f"c{index}",
        index=index,
        upstream="u",
        method="GET",
        target=UrlTemplate("/", lambda scope: "/", ()),
        ok=frozenset({200}),
        max_body=1,
        lazy=lazy,
        requires=tuple(requires),
        fallback_requires=tuple(fallback),
    )


def test_calls_that_read_nothing_go_at_once() -> None:
    assert Schedule(order_of([call(0), call(1), call(2, [0])])).start().calls == [0, 1]


def test_a_call_goes_the_moment_what_it_reads_is_settled() -> None:
    # 0 → 1 slow, 0 → 2 → 3: 3 must not wait for 1.
    schedule = Schedule(order_of([call(0), call(1, [0]), call(2, [0]), call(3, [2])]))
    schedule.start()
    assert schedule.settle(0).calls == [1, 2]
    assert schedule.settle(2).calls == [3]
    assert schedule.state(1) is State.RUNNING


def test_a_call_that_reads_two_waits_for_both() -> None:
    schedule = Schedule(order_of([call(0), call(1), call(2, [0, 1])]))
    schedule.start()
    assert schedule.settle(1).calls == []
    assert schedule.settle(0).calls == [2]


def test_a_lazy_call_goes_only_when_a_fallback_needs_it() -> None:
    schedule = Schedule(order_of([call(0, fallback=[1]), call(1, lazy=True)]))
    assert schedule.start().calls == [0]
    after = schedule.fail(0)
    assert (after.calls, after.fallbacks) == ([1], [])
    assert schedule.settle(1).fallbacks == [0]
    schedule.settle(0)
    assert schedule.finished


def test_a_lazy_call_that_a_call_reads_goes_with_it() -> None:
    schedule = Schedule(order_of([call(0, [1]), call(1, lazy=True)]))
    assert schedule.start().calls == [1]
    assert schedule.settle(1).calls == [0]


def test_a_lazy_call_that_nobody_needs_never_goes() -> None:
    schedule = Schedule(order_of([call(0, fallback=[1]), call(1, lazy=True)]))
    schedule.start()
    schedule.settle(0)
    assert schedule.finished
    assert schedule.state(1) is State.IDLE


def test_a_fallback_that_reads_nothing_unsettled_is_ready_at_once() -> None:
    schedule = Schedule(order_of([call(0), call(1, fallback=[0])]))
    schedule.start()
    schedule.settle(0)
    assert schedule.fail(1).fallbacks == [1]


def test_what_is_unsettled_is_what_was_wanted_and_has_no_value() -> None:
    schedule = Schedule(order_of([call(0), call(1, [0]), call(2, lazy=True)]))
    schedule.start()
    assert schedule.unsettled() == [0, 1]
    schedule.settle(0)
    assert schedule.unsettled() == [1]


@given(st.data())
def test_every_call_goes_exactly_once_and_after_all_that_it_reads(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 7))
    calls = [call(n, sorted(data.draw(st.sets(st.integers(0, n - 1)))) if n else ()) for n in range(count)]
    schedule = Schedule(order_of(calls))
    running, settled, gone = list(schedule.start().calls), [], []
    gone += running
    while running:
        done = data.draw(st.sampled_from(running))
        running.remove(done)
        settled.append(done)
        fresh = schedule.settle(done).calls
        assert all(set(calls[index].requires) <= set(settled) for index in fresh)
        running += fresh
        gone += fresh
    assert sorted(gone) == list(range(count))
    assert schedule.finished


@pytest.mark.parametrize("calls", [[], [call(0, lazy=True)]])
def test_without_anything_to_do_it_is_finished_from_the_start(calls: list[CallPlan]) -> None:
    schedule = Schedule(order_of(calls))
    schedule.start()
    assert schedule.finished


def test_a_fallback_waits_for_everything_that_it_reads() -> None:
    schedule = Schedule(order_of([call(0, fallback=[1, 2]), call(1), call(2)]))
    schedule.start()
    assert schedule.fail(0).fallbacks == []
    assert schedule.settle(1).fallbacks == []
    assert schedule.settle(2).fallbacks == [0]


def test_a_lazy_call_for_a_fallback_brings_what_it_reads_itself() -> None:
    schedule = Schedule(order_of([call(0, fallback=[1]), call(1, [2], lazy=True), call(2, lazy=True)]))
    schedule.start()
    assert schedule.fail(0).calls == [2]
    assert schedule.settle(2).calls == [1]


def test_two_fallbacks_that_read_one_lazy_call_start_it_once() -> None:
    schedule = Schedule(order_of([call(0, fallback=[2]), call(1, fallback=[2]), call(2, lazy=True)]))
    schedule.start()
    assert schedule.fail(0).calls == [2]
    assert schedule.fail(1).calls == []
    assert schedule.settle(2).fallbacks == [0, 1]


def test_a_call_whose_fallback_waits_is_not_finished() -> None:
    schedule = Schedule(order_of([call(0, fallback=[1]), call(1, lazy=True)]))
    schedule.start()
    schedule.fail(0)
    schedule.settle(1)
    assert not schedule.finished
    assert schedule.unsettled() == [0]
