import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.document import decode_json
from proxy.expr.jsonpath import parse_path
from proxy.expr.lower import lower
from proxy.expr.scope import MISSING
from proxy.merge.keys import Keyed, build_index, find, identity, key_of

SCALARS = st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False)


def keyed(many: bool = False, as_text: bool = False) -> Keyed:
    return Keyed(lower(parse_path("$.id")), many, as_text)


@pytest.mark.parametrize("one,other", [("9", 9), (True, 1), (False, 0), ("true", True), ("1.0", 1.0)])
def test_keys_of_different_types_differ_unless_they_are_compared_as_text(one: object, other: object) -> None:
    assert key_of(one) != key_of(other)


@pytest.mark.parametrize("value,text", [(9, "9"), (True, "true"), ("x", "x"), (decode_json(b"1.50"), "1.50")])
def test_as_text_every_scalar_is_its_text(value: object, text: str) -> None:
    assert key_of(value, as_text=True) == text


@pytest.mark.parametrize("value", [None, [], {}, MISSING])
def test_what_is_no_scalar_is_no_key(value: object) -> None:
    assert key_of(value) is None
    assert key_of(value, as_text=True) is None


def test_equal_numbers_are_one_key_however_they_are_written() -> None:
    assert key_of(decode_json(b"1.0")) == key_of(1)


@given(SCALARS, SCALARS)
def test_two_scalars_have_one_identity_exactly_if_they_are_equal_json(one: object, other: object) -> None:
    same = one == other and isinstance(one, bool) == isinstance(other, bool)
    assert (identity(one) == identity(other)) is same


def test_lists_and_objects_have_an_identity_too() -> None:
    assert identity({"a": [1]}) == identity({"a": [1]})
    assert identity([1]) != identity("[1]")


def test_an_index_has_the_first_of_several_or_all() -> None:
    elements = [{"id": 1, "n": "a"}, {"id": 1, "n": "b"}, {"id": None}, {}, 3, {"id": 2}]
    assert build_index(elements, keyed()) == {1: {"id": 1, "n": "a"}, 2: {"id": 2}}
    assert build_index(elements, keyed(many=True)) == {1: elements[:2], 2: [{"id": 2}]}


def test_nothing_is_found_without_an_index_or_a_key() -> None:
    assert find(None, 1) is MISSING
    assert find({1: "a"}, None) is MISSING
    assert find({1: "a"}, 1) == "a"
