from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.expr.jsonpath import Index, Name, Step, Wildcard, parse_path
from proxy.expr.lower import lower, lower_steps
from proxy.expr.scope import MISSING

DOCUMENT: dict[str, Any] = {
    "list": [{"n": 1, "s": "b"}, {"n": 5}, {"s": "a", "n": None}, 7],
    "deep": {"deep": {"n": 9}},
    "null": None,
    "true": True,
}


def find(text: str) -> Any:
    return lower(parse_path(text))(DOCUMENT)


@pytest.mark.parametrize(
    "text,expected",
    [
        ("$", DOCUMENT),
        ("$.null", None),
        ("$.list[0].n", 1),
        ("$.list[-1]", 7),
        ("$.list[1:3]", [{"n": 5}, {"s": "a", "n": None}]),
        ("$.list[*].n", [1, 5, None]),
        ("$.list[::2].n", [1, None]),
        ("$.list[::0]", []),
        ("$.deep.*", [{"n": 9}]),
        ("$.deep..n", [9]),
        ("$..s", ["b", "a"]),
        ("$.list[?(@.n > 1)]", [{"n": 5}]),
        ("$.list[?(@.n >= 1 && @.s == 'b')].n", [1]),
        ("$.list[?(@.s)].s", ["b", "a"]),
        ("$.list[?(@.n == null)].s", ["a"]),
        ("$.list[?(@.s < 'b')].s", ["a"]),
        ("$.list[*].none", []),
    ],
)
def test_a_path_finds_what_rfc_9535_says(text: str, expected: object) -> None:
    assert find(text) == expected


@pytest.mark.parametrize(
    "text", ["$.none", "$.list.n", "$.list[9]", "$.deep[0]", "$.null.x", "$.true.x.y", "$.deep.none.x.y"]
)
def test_a_singular_path_that_finds_nothing_is_missing(text: str) -> None:
    assert find(text) is MISSING


def test_nothing_differs_from_every_literal() -> None:
    assert find("$.list[?(@.s != 'b')]") == [{"n": 5}, {"s": "a", "n": None}, 7]


def test_true_is_not_one() -> None:
    assert lower(parse_path("$.a[?(@.x == 1)]"))({"a": [{"x": True}, {"x": 1}, {"x": 1.0}]}) == [{"x": 1}, {"x": 1.0}]


def test_descending_does_not_recurse() -> None:
    document: Any = {"x": 1}
    for _ in range(5000):
        document = {"in": document}
    assert lower(parse_path("$..x"))(document) == [1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
PATHS = st.lists(st.sampled_from([Name("a"), Name("b"), Index(0), Index(-1), Wildcard()]), max_size=4).map(tuple)


def naive(document: Any, steps: tuple[Step, ...]) -> list[Any]:
    if not steps:
        return [document]
    match steps[0], document:
        case Name(key), dict() if key in document:
            return naive(document[key], steps[1:])
        case Index(at), list() if -len(document) <= at < len(document):
            return naive(document[at], steps[1:])
        case Wildcard(), list():
            return [found for inner in document for found in naive(inner, steps[1:])]
        case Wildcard(), dict():
            return [found for inner in document.values() for found in naive(inner, steps[1:])]
    return []


@given(JSON, PATHS)
def test_a_closure_finds_what_walking_the_steps_finds(document: Any, steps: tuple[Step, ...]) -> None:
    found = lower_steps(steps)(document)
    expected = naive(document, steps)
    if any(isinstance(step, Wildcard) for step in steps):
        assert found == expected
    else:
        assert found == (expected[0] if expected else MISSING)
