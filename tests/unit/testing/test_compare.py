import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.testing.compare import differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "expected,got,lines",
    [
        ({"a": 1}, {"a": 2}, ["$.a: expected 1, got 2"]),
        ({"a": 1}, {}, ["$.a is missing; expected 1"]),
        ({}, {"a": [1]}, ["$.a was not expected: [1]"]),
        ([1, 2], [1, 3, 4], ["$[1]: expected 2, got 3", "$ has 3 elements; expected 2"]),
        ({"a": [{"b": None}]}, {"a": [{"b": {}}]}, ["$.a[0].b: expected null, got {}"]),
        (True, 1, ["$: expected true, got 1"]),
        ("1", 1, ['$: expected "1", got 1']),
    ],
)
def test_every_place_that_differs_has_a_line(expected: object, got: object, lines: list[str]) -> None:
    assert differences(expected, got) == lines


@given(JSON)
def test_a_value_does_not_differ_from_itself(value: object) -> None:
    assert differences(value, value) == []


def test_many_differences_are_cut_off_with_a_count() -> None:
    lines = differences(list(range(100)), list(range(1, 101)))
    assert len(lines) == 21
    assert lines[-1] == "… and 80 more"


def test_a_long_value_is_shortened() -> None:
    assert len(differences("x" * 10_000, "")[0]) < 300
