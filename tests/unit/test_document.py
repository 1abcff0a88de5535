import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.document import ExactFloat, InvalidJson, decode_json, encode_json, plain_numbers, scalar_text

DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_a_document_survives_the_way_through(document: object) -> None:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    assert json.loads(encode_json(decode_json(text.encode()))) == document


@pytest.mark.parametrize(
    "text",
    [
        "1.0",
        "1.10",
        "1e2",
        "1E+2",
        "1e999",
        "-0.0",
        "0.1e-7",
        "123456789012345678901234567890",
        "-1",
        "18446744073709551616",
    ],
)
def test_a_number_leaves_as_it_was_written(text: str) -> None:
    assert encode_json(decode_json(text.encode())) == text.encode()


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,30})\.[0-9]{1,20}([eE][+-]?[0-9]{1,4})?", fullmatch=True))
def test_any_float_leaves_as_it_was_written(text: str) -> None:
    assert encode_json([decode_json(text.encode())]) == f"[{text}]".encode()


def test_key_order_is_kept_and_the_last_of_duplicate_keys_wins() -> None:
    assert encode_json(decode_json(b'{"z":1,"a":2,"z":3}')) == b'{"z":3,"a":2}'


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"nul", b"NaN", b"Infinity", b"[1,]", b'"\xff"', b"1 2", b'{"a" 1}', b"'a'", b'"\\ud8', b"[" * 100_000],
)
def test_what_is_not_json_is_refused_without_a_quotation(data: bytes) -> None:
    with pytest.raises(InvalidJson) as refused:
        decode_json(data)
    assert "\xff" not in str(refused.value)


def test_not_a_number_and_infinity_are_written_as_null() -> None:
    assert encode_json([math.nan, math.inf]) == b"[null,null]"


def test_half_a_surrogate_pair_cannot_be_written() -> None:
    with pytest.raises(InvalidJson):
        encode_json("\ud800")


def test_a_float_that_remembers_its_text_computes_as_any() -> None:
    number = decode_json(b"1.50")
    assert type(number) is ExactFloat
    assert number + 1 == 2.5
    assert number == 1.5


@pytest.mark.parametrize(
    "value,text",
    [
        ("a", "a"),
        (1, "1"),
        (True, "true"),
        (False, "false"),
        (ExactFloat("1.50"), "1.50"),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_only_scalars_have_a_text(value: object, text: str | None) -> None:
    assert scalar_text(value) == text


def test_plain_numbers_are_ordinary_floats_at_every_depth() -> None:
    plain = plain_numbers(decode_json(b'{"a":[1.5,{"b":2.5}],"c":1}'))
    assert plain == {"a": [1.5, {"b": 2.5}], "c": 1}
    assert type(plain["a"][0]) is float
    assert type(plain["a"][1]["b"]) is float
