from typing import Any

import pytest

from proxy.expr.scope import MISSING


@pytest.mark.parametrize(
    "condition,result", [("a.ok", "yes"), ("!a.ok", "no"), ("a.n > 1", "yes"), ("true", "yes"), ("a.n", "no")]
)
def test_only_true_takes_the_branch(condition: str, result: str, merge: Any) -> None:
    assert merge(f"{{$if: '{condition}', then: 'yes', else: 'no'}}", a={"ok": True, "n": 2}) == result


def test_without_else_it_is_null(merge: Any) -> None:
    assert merge("{$if: 'a.ok', then: 1}", a={"ok": False}) is None


def test_a_branch_is_a_shape_of_its_own(merge: Any) -> None:
    assert merge("{$if: 'a.ok', then: {x: $.a.ok}}", a={"ok": True}) == {"x": True}
    assert merge("{$if: 'a.ok', then: $.a.none}", a={"ok": True}) is MISSING


def test_a_condition_that_cannot_be_evaluated_is_false_and_noted(merge: Any) -> None:
    faults: list[str] = []
    assert merge("{$if: 'a.none > 1', then: 1, else: 2}", faults, a={}) == 2
    assert len(faults) == 1


def test_a_computed_value_that_cannot_be_is_null_and_noted(merge: Any) -> None:
    faults: list[str] = []
    assert merge("{$cel: 'a.x + 1'}", faults, a={"x": 1}) == 2
    assert merge("{$cel: 'a.x + 1'}", faults, a={"x": "1"}) is None
    assert len(faults) == 1


def test_nothing_is_read_inside_a_literal(merge: Any) -> None:
    assert merge("{$literal: {$each: $.a, b: '${c}'}}") == {"$each": "$.a", "b": "${c}"}


@pytest.mark.parametrize(
    "text,problem",
    [
        ("{$if: 'true'}", "missing-key "),
        ("{$if: 'a =', then: 1}", "bad-cel $if"),
        ("{$if: 'true', then: 1, esle: 2}", "unknown-key esle"),
        ("{$cel: 'nobody.x'}", "unknown-root $cel"),
        ("{$cel: 3}", "bad-cel $cel"),
        ("{$literal: 1, other: 2}", "unknown-key other"),
    ],
)
def test_a_decision_that_cannot_work_is_a_problem(text: str, problem: str, problems: Any) -> None:
    assert problems(text) == [problem]
