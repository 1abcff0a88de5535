from typing import Any

import pytest

from proxy.expr.scope import MISSING


def test_lists_are_joined_in_order_and_absent_ones_passed_over(merge: Any) -> None:
    faults: list[str] = []
    assert merge("{$concat: [$.a, $.b, $.a.none, [3]]}", faults, a=[1], b=None) == [1, 3]
    assert faults == []
    assert merge("{$concat: [$.a]}", faults, a={"x": 1}) == []
    assert len(faults) == 1


def test_one_level_is_unfolded_and_what_is_no_list_stays(merge: Any) -> None:
    assert merge("{$flatten: $.a}", a=[[1], 2, [[3]], []]) == [1, 2, [3]]


def test_elements_are_grouped_by_the_text_of_a_value_in_order(merge: Any) -> None:
    faults: list[str] = []
    rows = [{"k": 2, "n": 1}, {"k": "x", "n": 2}, {"k": 2, "n": 3}, {"n": 4}, {"k": [1]}]
    groups = merge("{$group: $.list, by: k}", faults, list=rows)
    assert list(groups) == ["2", "x"]
    assert [row["n"] for row in groups["2"]] == [1, 3]
    assert len(faults) == 2


@pytest.mark.parametrize("operator", ["{$flatten: $.a.x}", "{$group: $.a.x, by: $.k}"])
def test_a_source_that_is_no_list_gives_nothing(operator: str, merge: Any) -> None:
    faults: list[str] = []
    assert merge(operator, faults, a={}) is MISSING
    assert faults == []
    assert merge(operator, faults, a={"x": 3}) is MISSING
    assert len(faults) == 1


@pytest.mark.parametrize(
    "text,problem",
    [
        ("{$concat: $.a}", "wrong-type $concat"),
        ("{$concat: [$.a], x: 1}", "unknown-key x"),
        ("{$flatten: lists}", "bad-expression $flatten"),
        ("{$group: $.a}", "missing-key "),
        ("{$group: $.a, by: '$.x[*]'}", "plural-path by"),
    ],
)
def test_an_operator_that_cannot_work_is_a_problem(text: str, problem: str, problems: Any) -> None:
    assert problems(text) == [problem]
