from typing import Any


def test_what_is_further_right_wins_and_keys_keep_their_first_place(merge: Any) -> None:
    merged = merge("{$merge: [$.a, $.b, {z: 9}]}", a={"x": 1, "y": 2}, b={"y": 3, "z": 4})
    assert list(merged.items()) == [("x", 1), ("y", 3), ("z", 9)]


def test_null_and_missing_operands_are_passed_over(merge: Any) -> None:
    faults: list[str] = []
    assert merge("{$merge: [$.a, $.a.none, $.b]}", faults, a={"x": 1}, b=None) == {"x": 1}
    assert faults == []


def test_an_operand_that_is_not_an_object_is_passed_over_and_noted(merge: Any) -> None:
    faults: list[str] = []
    assert merge("{$merge: [$.a, $.b]}", faults, a={"x": 1}, b=[1]) == {"x": 1}
    assert len(faults) == 1


def test_merging_changes_no_operand(merge: Any) -> None:
    a = {"x": 1}
    merge("{$merge: [$.a, {x: 2}]}", a=a)
    assert a == {"x": 1}


def test_operands_are_a_list(problems: Any) -> None:
    assert problems("{$merge: $.a}") == ["wrong-type $merge"]
    assert problems("{$merge: [$.a], with: 1}") == ["unknown-key with"]
