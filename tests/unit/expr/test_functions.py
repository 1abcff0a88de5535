from typing import Any

import pytest

from proxy.document import ExactFloat
from proxy.expr.functions import FUNCTIONS


@pytest.mark.parametrize(
    "name,arguments,expected",
    [
        ("join", (["a", 1, ExactFloat("1.50"), True], "-"), "a-1-1.50-true"),
        ("distinct", ([1, 1.0, "1", 1, [2], [2]],), [1, 1.0, "1", [2]]),
        ("sort", ([3, 1, 2],), [1, 2, 3]),
        ("sum", ([1, 2],), 3),
        ("min", ([3, 1],), 1),
        ("max", (3, 1), 3),
        ("max", ([],), None),
        ("first", ([5, 6],), 5),
        ("first", ([],), None),
        ("last", ([5, 6],), 6),
        ("keys", ({"a": 1},), ["a"]),
        ("values", ({"a": 1},), [1]),
        ("split", ("a,b", ","), ["a", "b"]),
        ("lower", ("A",), "a"),
        ("upper", ("a",), "A"),
        ("trim", (" a ",), "a"),
        ("replace", ("aba", "a", "c"), "cbc"),
        ("round", (2.5,), 3),
        ("round", (-2.5,), -3),
        ("round", (1.255, 1), 1.3),
        ("default", (None, 1), 1),
        ("default", (0, 1), 0),
    ],
)
def test_a_function_gives(name: str, arguments: tuple[Any, ...], expected: object) -> None:
    assert FUNCTIONS[name](*arguments) == expected


def test_joining_needs_scalars() -> None:
    with pytest.raises(TypeError):
        FUNCTIONS["join"]([{}], ",")
