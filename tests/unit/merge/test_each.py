from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.expr.scope import MISSING
from proxy.merge.each import sort_rank

LIST = [{"id": 1, "price": 3, "name": "c"}, {"id": 2, "price": 1, "name": "a"}, {"id": 3, "name": "b"}]


@pytest.mark.parametrize(
    "text,result",
    [
        ("{$each: $.list, pick: [id]}", [{"id": 1}, {"id": 2}, {"id": 3}]),
        ("{$each: $.list, pick: [price, id]}", [{"price": 3, "id": 1}, {"price": 1, "id": 2}, {"id": 3}]),
        ("{$each: $.list, pick: {key: $.item.id}}", [{"key": 1}, {"key": 2}, {"key": 3}]),
        ("{$each: $.list, drop: [price, name]}", [{"id": 1}, {"id": 2}, {"id": 3}]),
        ("{$each: $.list, value: $.item.price}", [3, 1, None]),
        ("{$each: $.list, as: row, value: '${row.id}!'}", ["1!", "2!", "3!"]),
        ("{$each: $.list, where: item.id > 1, value: $.item.id}", [2, 3]),
        ("{$each: $.list, limit: 1, value: $.item.id}", [1]),
        ("{$each: $.list, limit: 0, value: $.item.id}", []),
        ("{$each: $.list, sort_by: $.price, value: $.item.id}", [2, 1, 3]),
        ("{$each: $.list, sort_by: -$.price, value: $.item.id}", [1, 2, 3]),
        ("{$each: $.list, sort_by: $.name, value: $.item.id}", [2, 3, 1]),
        ("{$each: $.list, sort_by: -$.item.name, value: $.item.id}", [1, 3, 2]),
        ("{$each: $.list, where: item.id < 3, sort_by: $.name, limit: 1, value: $.item.id}", [2]),
        ("{$each: '$.list[*].name', value: $.item}", ["c", "a", "b"]),
        (
            "{$each: $.list, value: {$each: $.list, as: inner, value: ['$.item.id', '$.inner.id'], limit: 1}}",
            [[[1, 1]], [[2, 1]], [[3, 1]]],
        ),
    ],
)
def test_each_element_gives_one_result(text: str, result: object, merge: Any) -> None:
    assert merge(text, list=LIST) == result


def test_without_a_shape_the_elements_are_as_they_were(merge: Any) -> None:
    assert merge("{$each: $.list, limit: 2}", list=[1, 2, 3]) == [1, 2]


@pytest.mark.parametrize("source,noted", [({}, False), ({"x": None}, False), ({"x": 1}, True), ({"x": {}}, True)])
def test_a_source_that_is_no_list_gives_nothing_and_a_wrong_one_is_noted(source: Any, noted: bool, merge: Any) -> None:
    faults: list[str] = []
    assert merge("{$each: $.a.x, value: 1}", faults, a=source) is MISSING
    assert bool(faults) is noted


def test_a_condition_that_fails_for_an_element_leaves_it_out_and_is_noted(merge: Any) -> None:
    faults: list[str] = []
    assert merge("{$each: $.list, where: item.price > 2, value: $.item.id}", faults, list=LIST) == [1]
    assert len(faults) == 1


def test_values_of_several_kinds_have_one_order(merge: Any) -> None:
    values = [{"v": value} for value in ("b", None, 2, True, "a", 1.5, False)]
    ordered = merge("{$each: $.list, sort_by: $.v, value: $.item.v}", list=values)
    assert ordered == [1.5, 2, "a", "b", False, True, None]


@pytest.mark.parametrize(
    "text,problem",
    [
        ("{$each: list, value: 1}", "bad-expression $each"),
        ("{$each: $.list, vaule: 1}", "unknown-key vaule"),
        ("{$each: $.list, pick: [a], drop: [b]}", "conflicting-keys drop"),
        ("{$each: $.list, limit: -1}", "wrong-type limit"),
        ("{$each: $.list, limit: '3'}", "wrong-type limit"),
        ("{$each: $.list, sort_by: price}", "bad-path sort_by"),
        ("{$each: $.list, sort_by: '$.a[*]'}", "plural-path sort_by"),
        ("{$each: $.list, as: user}", "name-taken as"),
        ("{$each: $.list, as: params}", "name-taken as"),
        ("{$each: $.list, as: 'a b'}", "bad-name as"),
        ("{$each: $.list, pick: id}", "wrong-type pick"),
        ("{$each: $.list, where: 'item ='}", "bad-cel where"),
    ],
)
def test_a_loop_that_cannot_work_is_a_problem(text: str, problem: str, problems: Any) -> None:
    assert problems(text) == [problem]


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.none())


@given(st.lists(VALUES), st.sampled_from([1, -1]))
def test_values_of_every_kind_can_be_sorted_and_the_rest_is_last_as_it_came(values: list[object], sign: int) -> None:
    ordered = sorted(values, key=lambda value: sort_rank(value, sign))
    rest = [value for value in values if value is None or isinstance(value, list)]
    assert ordered[len(values) - len(rest) :] == rest


@pytest.mark.parametrize("values", [["a", "aa", "b"], [1, 2.5, 3], [False, True]])
def test_a_descending_order_is_the_ascending_one_backwards(values: list[object]) -> None:
    assert sorted(values, key=lambda value: sort_rank(value, -1)) == values[::-1]
    assert sorted(values[1:] + values[:1], key=sort_rank) == values


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), st.integers()), max_size=10))
def test_what_is_equal_keeps_its_order_when_descending(pairs: list[tuple[str, int]]) -> None:
    ordered = sorted(pairs, key=lambda pair: sort_rank(pair[0], -1))
    assert ordered == [pair for pair in pairs if pair[0] == "y"] + [pair for pair in pairs if pair[0] == "x"]
