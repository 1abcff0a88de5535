from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.document import InvalidJson, decode_json, encode_json
from proxy.expr import decoding
from proxy.expr.decoding import decoder
from proxy.expr.needs import MOVE, READ, Need

PICK = Need("list", element=Need("pick", keys=("b", "a")))
ITEMS = Need("object", (("items", MOVE), ("n", READ)))


def test_what_is_only_moved_is_bytes_of_the_body() -> None:
    body = b'{"n": 1.50, "items" : [ 1.0, "\\u0041" ], "other": {}}'
    value = decoder(ITEMS)(body)
    assert bytes(value["items"]) == b'[ 1.0, "\\u0041" ]'
    assert encode_json(value) == b'{"n":1.50,"items":[ 1.0, "\\u0041" ]}'


def test_elements_are_narrowed_while_they_are_decoded_in_the_order_that_is_asked_for() -> None:
    value = decoder(PICK)(b'[{"a":1,"b":2.0,"c":3},{"a":null},{}]')
    assert encode_json(value) == b'[{"b":2.0,"a":1},{"a":null},{}]'


@pytest.mark.parametrize(
    "need,body,value",
    [
        (ITEMS, b"[1]", [1]),
        (ITEMS, b'"text"', "text"),
        (ITEMS, b"null", None),
        (PICK, b'{"x":{"a":1}}', {"x": {"a": 1}}),
        (PICK, b'[{"a":1},7,null]', [{"a": 1}, 7, None]),
        (Need("object", (("a", PICK),)), b'{"a":5}', {"a": 5}),
        (Need("open", (("a", READ),)), b'{"b":[1],"a":1.0}', {"b": [1], "a": 1.0}),
        (Need("open"), b"[1]", [1]),
    ],
)
def test_an_answer_of_another_shape_is_its_value_all_the_same(need: Need, body: bytes, value: Any) -> None:
    assert decode_json(encode_json(decoder(need)(body))) == value


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"items":01}', b'{"other":[1,}', b'{"items":"\xff"}', b"[" * 5000, b'{"items":"\\ud800"}', b"NaN"],
)
@pytest.mark.parametrize("need", [MOVE, ITEMS, PICK, Need("open"), Need("open", (("a", READ),))])
def test_all_of_the_body_is_json_whatever_is_needed_of_it(need: Need, body: bytes) -> None:
    with pytest.raises(InvalidJson):
        decoder(need)(body)


def test_equal_needs_have_one_decoder() -> None:
    assert decoder(Need("object", (("q", MOVE),))) is decoder(Need("object", (("q", MOVE),)))


KEYS = st.sampled_from(["a", "b", "items"])
NEEDS = st.recursive(
    st.sampled_from([MOVE, READ, Need("open")])
    | st.lists(KEYS, unique=True).map(lambda k: Need("pick", keys=tuple(k))),
    lambda inner: (
        inner.map(lambda one: Need("list", element=one))
        | st.builds(
            lambda kind, children: Need(kind, tuple(children.items())),
            st.sampled_from(["object", "open"]),
            st.dictionaries(KEYS, inner, max_size=3),
        )
    ),
    max_leaves=6,
)
SCALARS = st.sampled_from(
    [b"1", b"1.50", b"1e999", b"null", b"true", b'"\\u0041"', b'"\xc3\xa4"', b"123456789012345678901"]
)


def _object(pairs: list[tuple[str, bytes]], gap: bytes) -> bytes:
    return b"{" + gap + (b"," + gap).join(b'"%s":%s%s' % (k.encode(), gap, v) for k, v in pairs) + gap + b"}"


BODIES = st.recursive(
    SCALARS,
    lambda inner: (
        st.builds(
            _object, st.lists(st.tuples(KEYS | st.just("c"), inner), max_size=4), st.sampled_from([b"", b" ", b"\n"])
        )
        | st.lists(inner, max_size=3).map(lambda items: b"[ " + b" ,".join(items) + b"]")
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(NEEDS, BODIES)
def test_the_generated_decoder_and_the_one_by_hand_give_the_same_bytes(need: Need, body: bytes) -> None:
    if need.kind == "read":
        return
    quick, slow = decoder(need)(body), decoding._by_hand(need, body)
    assert encode_json(_ordered(need, quick)) == encode_json(_ordered(need, slow))


def _ordered(need: Need, value: Any) -> Any:
    """The keys that are picked stand in the order of the list only once `pick` itself has been there."""
    if need.kind == "pick" and isinstance(value, dict):
        return {key: value[key] for key in need.keys if key in value}
    if need.kind == "list" and need.element is not None and isinstance(value, list):
        return [_ordered(need.element, one) for one in value]
    if need.kind == "list" and need.element is not None and isinstance(value, dict):
        return {key: _ordered(need.element, one) for key, one in value.items()}
    if need.kind in ("object", "open") and isinstance(value, dict):
        children = dict(need.children)
        return {key: _ordered(children[key], one) if key in children else one for key, one in value.items()}
    return value


def test_numbers_that_are_looked_into_keep_their_text() -> None:
    value = decoder(Need("object", (("n", READ), ("m", MOVE))))(b'{"n":1.10,"m":1.10}')
    assert (value["n"], type(value["m"])) == (1.1, msgspec.Raw)
    assert encode_json(value) == b'{"n":1.10,"m":1.10}'
