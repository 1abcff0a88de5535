from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.expr.jsonpath import parse_path
from proxy.expr.known import ANYTHING, Known, Mismatch, either, follow, known_from_sample, known_from_schema
from proxy.expr.lower import lower
from proxy.expr.scope import MISSING

SAMPLE = {"id": 1, "tags": ["a"], "lines": [{"n": 1}, {"m": 2}], "address": {"city": "X"}, "phone": None}


def found(text: str, known: Known | None = None) -> Any:
    return follow(known or known_from_sample(SAMPLE), parse_path(text).steps)


@pytest.mark.parametrize(
    "text",
    ["$.id", "$.tags[0]", "$.tags[*]", "$.lines[*].n", "$.lines[0].m", "$.address.city", "$.phone.any", "$..x", "$"],
)
def test_a_path_that_may_match_is_let_through(text: str) -> None:
    assert isinstance(found(text), Known)


@pytest.mark.parametrize(
    "text,key,hint",
    [
        ("$.idd", "idd", "did you mean 'id'?"),
        ("$.lines[*].k", "k", "there is n, m"),
        ("$.id.x", "x", "it is not an object there"),
        ("$.tags.x", "x", "it is not an object there"),
        ("$.address.cty", "cty", "did you mean 'city'?"),
    ],
)
def test_a_path_that_cannot_match_names_the_step_and_the_nearest(text: str, key: str, hint: str) -> None:
    mismatch = found(text)
    assert isinstance(mismatch, Mismatch)
    assert (mismatch.key, mismatch.hint) == (key, hint)


def test_a_schema_tells_properties_and_items() -> None:
    schema = {"properties": {"list": {"items": {"properties": {"id": {"type": "integer"}}}}, "any": {}}}
    known = known_from_schema(schema)
    assert isinstance(found("$.list[*].id", known), Known)
    assert isinstance(found("$.list[*].x", known), Mismatch)
    assert isinstance(found("$.any.thing", known), Known)


@pytest.mark.parametrize(
    "schema", [True, {}, {"$ref": "#/x"}, {"anyOf": []}, {"properties": {}, "additionalProperties": True}]
)
def test_a_schema_that_leaves_things_open_lets_everything_through(schema: Any) -> None:
    assert known_from_schema(schema) is ANYTHING


def test_what_may_be_several_things_has_the_keys_of_all() -> None:
    known = either(known_from_sample(value) for value in ({"a": 1}, {"b": [1]}, 3))
    assert isinstance(found("$.a", known), Known)
    assert isinstance(found("$.b[0]", known), Known)
    assert isinstance(found("$.c", known), Mismatch)


DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)
PATHS = st.lists(st.sampled_from([".a", ".b", ".c", "[*]", "[0]"]), max_size=4).map(lambda steps: "$" + "".join(steps))


@given(DOCUMENTS, PATHS)
def test_what_a_path_finds_in_a_sample_is_never_called_a_mismatch(document: Any, text: str) -> None:
    selected = lower(parse_path(text))(document)
    if selected is not MISSING and selected != []:
        assert isinstance(follow(known_from_sample(document), parse_path(text).steps), Known)
