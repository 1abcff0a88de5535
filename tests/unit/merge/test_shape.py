from typing import Any

import pytest

from proxy.expr.scope import MISSING, Scope, Vocabulary
from proxy.merge.operators import OPERATORS
from proxy.merge.shape import Shaper, is_operator
from proxy.problems import Place, Span


def test_mappings_lists_and_values_are_built_in_their_order(merge: Any) -> None:
    assert list(merge("{z: $.a.x, y: [1, $.a, lit], x: null}", a={"x": 1}).items()) == [
        ("z", 1),
        ("y", [1, {"x": 1}, "lit"]),
        ("x", None),
    ]


def test_what_is_missing_is_null(merge: Any) -> None:
    assert merge("{x: $.a.x, y: [$.a.x], z: '${a.x}'}", a={}) == {"x": None, "y": [None], "z": None}


def test_omit_missing_leaves_the_key_out_but_keeps_null() -> None:
    place = Place([], lambda path, at_key: Span("f", 1, 1))
    shaper = Shaper(Vocabulary(calls=frozenset({"a"})), OPERATORS, omit_missing=True)
    shape = shaper.compile({"x": "$.a.x", "y": "$.a.y", "z": ["$.a.x"]}, place)
    assert shape.evaluate(Scope({"a": {"y": None}})) == {"y": None, "z": [None]}


def test_a_root_may_be_missing(merge: Any) -> None:
    assert merge("$.a.x", a={}) is MISSING


def test_dollars_may_be_escaped_in_values_and_keys(merge: Any) -> None:
    assert merge("{$$a: $$.b, c: 'x $${d}'}") == {"$a": "$.b", "c": "x ${d}"}


def test_an_operator_over_literals_is_evaluated_as_any_other(merge: Any) -> None:
    faults: list[str] = []
    assert merge("{x: {$each: {$literal: 3}}, y: {$cel: '1/0'}}", faults) == {"x": None, "y": None}
    assert len(faults) == 2


def test_a_constant_is_known_before_any_request(merge: Any) -> None:
    assert merge("{a: {b: [1, 2]}}") == {"a": {"b": [1, 2]}}


@pytest.mark.parametrize("key,holds", [("$each", True), ("$$each", False), ("each", False), ("$", True)])
def test_an_operator_starts_with_one_dollar(key: str, holds: bool) -> None:
    assert is_operator(key) is holds


@pytest.mark.parametrize(
    "text,problem",
    [
        ("{x: {$eech: 1}}", "unknown-operator x/$eech"),
        ("{x: [$.nobody]}", "unknown-root x/0"),
        ("{x: '${a'}", "bad-template x"),
        ("{x: ['${null}']}", "bad-template x/0"),
    ],
)
def test_a_problem_is_at_its_place(text: str, problem: str, problems: Any) -> None:
    assert problems(text) == [problem]


def test_every_problem_is_found_in_one_go(problems: Any) -> None:
    assert len(problems("{x: $.nobody, y: {$eech: 1}, z: [$.none]}")) == 3
