from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from proxy.engine.fanout import FanOut, Part, allowed, bind, check_part, collect, elements_of, judge_all, parts_of
from proxy.engine.outcome import Done, Failed, Fanned, Skipped
from proxy.errors import BadRequest, ExtractionFailed, TooManyItems, UpstreamStatus
from proxy.expr.jsonpath import parse_path
from proxy.expr.lower import lower
from proxy.expr.scope import Scope
from proxy.expr.urltemplate import UrlTemplate
from proxy.merge.keys import Keyed
from proxy.plan.nodes import CallPlan, FanPlan


def fan(**changes: Any) -> FanPlan:
    given: dict[str, Any] = {
        "source": lambda scope: scope["ids"],
        "source_text": "$.ids",
        "client": False,
        "size": None,
        "distinct": True,
        "concurrency": 8,
        "tolerate": 0.0,
        "max_items": 1000,
    }
    return FanPlan(**{**given, **changes})


def call(plan: FanPlan, **changes: Any) -> CallPlan:
    given: dict[str, Any] = {
        "name": "x",
        "index": 0,
        "upstream": "u",
        "method": "GET",
        "target": UrlTemplate("/", lambda scope: "/", ()),
        "ok": frozenset({200}),
        "max_body": 1,
        "fan": plan,
        "keyed": Keyed(lower(parse_path("$.id"))) if plan.size else Keyed(None),
    }
    return CallPlan(**{**given, **changes})


def done(value: Any) -> Done:
    return Done(200, CIMultiDict(), value)


def elements(plan: FanPlan, ids: Any) -> list[tuple[Any, ...]]:
    scope = Scope({"ids": ids})
    return [part.elements for part in parts_of(plan, scope, elements_of(plan, scope))]


def test_each_distinct_value_that_is_not_null_is_asked_for_once_in_first_seen_order() -> None:
    assert elements(fan(), [3, None, 1, 3, "3", True, {"a": 1}, {"a": 1}]) == [(3,), (1,), ("3",), (True,), ({"a": 1},)]
    assert elements(fan(distinct=False), [1, None, 1]) == [(1,), (1,)]


def test_a_batch_asks_in_chunks() -> None:
    assert elements(fan(size=2), [1, 2, 3, 2]) == [(1, 2), (3,)]


def test_the_scope_of_a_request_has_its_element_or_its_chunk() -> None:
    assert bind(fan(), Scope({}), (1,))["each"] == 1
    assert bind(fan(size=2), Scope({}), (1, 2))["batch"] == [1, 2]


def test_a_null_source_asks_for_nothing() -> None:
    assert elements(fan(), None) == []


@pytest.mark.parametrize("ids", [3, {}, "abc"])
def test_a_source_that_is_no_list_fails_the_call(ids: Any) -> None:
    with pytest.raises(ExtractionFailed):
        elements(fan(), ids)


def test_a_batch_asks_for_scalars() -> None:
    with pytest.raises(ExtractionFailed):
        elements(fan(size=2), [1, {"a": 1}])


@pytest.mark.parametrize("client,kind", [(True, BadRequest), (False, TooManyItems)])
def test_too_many_are_the_fault_of_whoever_chose_them(client: bool, kind: type[Exception]) -> None:
    plan = fan(max_items=2, client=client)
    assert len(elements(plan, [1, 1, 2])) == 2
    with pytest.raises(kind):
        elements(plan, [1, 2, 3])


def test_where_a_list_is_needed_anything_else_is_a_failure() -> None:
    assert isinstance(check_part(call(fan(size=2)), done({"a": 1})), Failed)
    assert isinstance(check_part(call(fan(), keyed=Keyed(None, many=True)), done(3)), Failed)
    assert isinstance(check_part(call(fan()), done(3)), Done)


def parts(*outcomes: Any) -> list[Part]:
    return [Part((number,), Scope({}), outcome=outcome) for number, outcome in enumerate(outcomes)]


FAILED = Failed(UpstreamStatus(500), 500)


def test_the_first_failure_fails_a_call_without_fallback() -> None:
    assert judge_all(call(fan()), parts(done(1), FAILED)) is FAILED


def test_failures_within_what_is_tolerated_are_listed_with_what_was_asked_for() -> None:
    outcome = judge_all(call(fan(tolerate=0.5)), parts(done(1), FAILED))
    assert isinstance(outcome, Fanned)
    assert outcome.failures == [(1, FAILED)]
    assert allowed(call(fan(tolerate=0.5)), parts(done(1), FAILED, FAILED)) == 1


def test_a_fallback_takes_the_place_of_each_failure() -> None:
    plan = call(fan(), fallback=lambda scope: None)
    ended = parts(done("a"), FAILED, Skipped())
    ended[1].fallback = "f"
    assert isinstance(judge_all(plan, ended), Fanned)
    collection = collect(plan, FanOut([0, 1, 2], ended))
    assert collection.elements == ["a", "f", None]
    assert collection.index == {0: "a", 1: "f", 2: None}


def test_what_failed_without_fallback_is_left_out() -> None:
    collection = collect(call(fan(tolerate=1.0)), FanOut([0, 1], parts(done("a"), FAILED)))
    assert (collection.elements, collection.index) == (["a"], {0: "a"})


ROWS = st.dictionaries(st.integers(0, 9), st.text(max_size=3), max_size=8)


@given(st.lists(st.integers(0, 9), max_size=12), ROWS, st.integers(1, 4), st.randoms())
def test_batch_and_for_each_give_equal_collections(ids: list[int], rows: dict[int, str], size: int, order: Any) -> None:
    """Whatever the chunks and the order, gaps and extras of the batch's answers."""
    scope = Scope({"ids": ids})
    each, batch = call(fan(tolerate=1.0)), call(fan(size=size))
    assert each.fan is not None
    assert batch.fan is not None
    elements = elements_of(each.fan, scope)
    asked = parts_of(each.fan, scope, elements)
    for part in asked:
        row = rows.get(part.elements[0])
        part.outcome = FAILED if row is None else done({"id": part.elements[0], "row": row})
    chunks = parts_of(batch.fan, scope, elements_of(batch.fan, scope))
    for part in chunks:
        answer = [{"id": key, "row": row} for key, row in rows.items() if key in part.elements or key == 9]
        order.shuffle(answer)
        part.outcome = done(answer)
    assert collect(each, FanOut(elements, asked)) == collect(batch, FanOut(elements, chunks))
