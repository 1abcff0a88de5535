from typing import Any

import pytest

from proxy.expr.scope import MISSING

USER = {"id": 1, "name": "Ann", "secret": "x"}


def test_pick_keeps_names_in_the_order_of_the_list(merge: Any) -> None:
    assert list(merge("{$pick: [name, none, id], from: $.user}", user=USER).items()) == [("name", "Ann"), ("id", 1)]


def test_drop_leaves_out_names_and_keeps_the_objects_order(merge: Any) -> None:
    assert list(merge("{$drop: [secret, none], from: $.user}", user=USER)) == ["id", "name"]


@pytest.mark.parametrize("operator", ["$pick", "$drop"])
def test_what_is_not_an_object_is_null_and_what_is_missing_is_missing(operator: str, merge: Any) -> None:
    assert merge(f"{{{operator}: [a], from: $.a.x}}", a={"x": [1]}) is None
    assert merge(f"{{{operator}: [a], from: $.a.x}}", a={}) is MISSING


def test_the_source_may_be_another_operator(merge: Any) -> None:
    assert merge("{$pick: [name], from: {$merge: [$.user, {name: Bob}]}}", user=USER) == {"name": "Bob"}


@pytest.mark.parametrize(
    "text,problem",
    [
        ("{$pick: [a]}", "missing-key "),
        ("{$pick: a, from: $.user}", "wrong-type $pick"),
        ("{$drop: [1], from: $.user}", "wrong-type $drop"),
        ("{$drop: [a], from: user}", "bad-expression from"),
        ("{$pick: [a], form: $.user}", "unknown-key form"),
    ],
)
def test_narrowing_that_cannot_work_is_a_problem(text: str, problem: str, problems: Any) -> None:
    assert problems(text) == [problem]
