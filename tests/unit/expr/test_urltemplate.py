from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ExtractionFailed, GatewayError, UnsafeValue
from proxy.expr.scope import Scope, Vocabulary
from proxy.expr.urltemplate import compile_url_template, encode_query_value
from proxy.problems import Invalid

NAMES = Vocabulary(calls=frozenset({"user"}), params=frozenset({"id"}))


def render(text: str, **roots: Any) -> str:
    return compile_url_template(text, NAMES).render(Scope(roots))


@pytest.mark.parametrize(
    "text,expected",
    [
        ("/users", "/users"),
        ("/", "/"),
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/a%2Fb", "/a%2Fb"),
        ("/users/${params.id}/orders", "/users/a%2Fb%3Fc/orders"),
        ("/v${params.id}.json", "/va%2Fb%3Fc.json"),
        ("/x?a=${params.id}&b=1", "/x?a=a%2Fb%3Fc&b=1"),
        ("/x?y=a b", "/x?y=a%20b"),
    ],
)
def test_values_are_encoded_for_where_they_stand(text: str, expected: str) -> None:
    assert render(text, params={"id": "a/b?c"}) == expected


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "%2e%2e", "%252e%252e", "../x", "x/..", "..\\x", "%2e%2e%2fx", "a\x00", "a\r\nb", "%00", "\ud800"],
)
def test_a_value_that_is_not_one_segment_is_refused(value: str) -> None:
    with pytest.raises(UnsafeValue):
        render("/x/${params.id}/y", params={"id": value})


def test_a_refused_value_of_another_call_is_that_calls_fault() -> None:
    with pytest.raises(ExtractionFailed):
        render("/x/${user.id}", user={"id": ".."})


@given(st.one_of(st.text(), st.from_regex(r"[./%2eEfF\\]*", fullmatch=True)))
def test_whatever_the_value_is_the_path_keeps_its_segments(value: str) -> None:
    try:
        path = render("/a/${params.id}/b", params={"id": value})
    except GatewayError:
        return
    segments = path.split("/")
    assert len(segments) == 4
    assert segments[2] not in ("", ".", "..")
    assert unquote(segments[2]) == value
    assert unquote(unquote(segments[2])) not in ("", ".", "..")
    assert path.isascii()
    assert path.isprintable()


@pytest.mark.parametrize(
    "text,code", [("users", "bad-url"), ("/a#b", "bad-url"), ("/a/../b", "bad-url"), ("/a/%2e%2e", "bad-url")]
)
def test_a_template_that_no_value_makes_safe_is_refused(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        compile_url_template(text, NAMES)
    assert refused.value.code == code


@pytest.mark.parametrize("value", ["a\r", "a\n", "a\x00"])
def test_a_query_value_holds_no_line_break_and_no_nul(value: str) -> None:
    with pytest.raises(UnsafeValue):
        encode_query_value(value, client=True, text="q")


@pytest.mark.parametrize("value,expected", [("a b&c", "a%20b%26c"), (1, "1"), (True, "true"), ("é", "%C3%A9")])
def test_a_query_value_is_encoded(value: object, expected: str) -> None:
    assert encode_query_value(value, client=True, text="q") == expected


def test_a_query_value_is_a_scalar() -> None:
    with pytest.raises(ExtractionFailed):
        encode_query_value({"a": 1}, client=True, text="q")


def test_the_parts_that_the_client_decides_can_be_checked_alone() -> None:
    template = compile_url_template("/x/${params.id}/${user.id}?q=${query.q}", NAMES)
    scope = Scope({"params": {"id": "1"}, "query": {"q": "2"}})
    assert [part(scope) for part in template.client_parts] == ["1", "2"]
