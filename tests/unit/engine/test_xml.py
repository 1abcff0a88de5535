import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.engine.xml import MAX_DEPTH, parse_xml
from proxy.errors import UpstreamInvalid


@pytest.mark.parametrize(
    "text,value",
    [
        ("<a/>", {"a": None}),
        ("<a> x </a>", {"a": "x"}),
        ("<a b='1'/>", {"a": {"@b": "1"}}),
        ("<a b='1'>x</a>", {"a": {"@b": "1", "#text": "x"}}),
        ("<a><b>1</b><c/><b>2</b><b/></a>", {"a": {"b": ["1", "2", None], "c": None}}),
        ("<a>x<b/>y</a>", {"a": {"b": None, "#text": "x"}}),
        ("<n:a xmlns:n='u' n:b='1'><n:c/></n:a>", {"a": {"@b": "1", "c": None}}),
        ("<a>&lt;&#65;<![CDATA[<b>]]></a>", {"a": "<A<b>"}),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>".encode("latin-1"), {"a": "é"}),
    ],
)
def test_a_document_is_a_json_value(text: str | bytes, value: object) -> None:
    assert parse_xml(text.encode() if isinstance(text, str) else text) == value


def test_an_element_may_always_be_a_list() -> None:
    assert parse_xml(b"<a><b>1</b></a>", frozenset({"b"})) == {"a": {"b": ["1"]}}
    assert parse_xml(b"<a><b>1</b><b>2</b></a>", frozenset({"b"})) == {"a": {"b": ["1", "2"]}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"\xff",
        b"<a>&undefined;</a>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b"<!DOCTYPE a SYSTEM 'http://169.254.169.254/'><a/>",
        b"<?xml version='1.0' encoding='nonsense'?><a/>",
        b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
    ],
)
def test_what_is_broken_dangerous_or_too_deep_is_the_upstreams_fault(data: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        parse_xml(data)


@given(st.binary(max_size=60))
def test_no_bytes_make_the_reader_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(UpstreamInvalid):
        parse_xml(b"<a>" + data + b"</a>")
