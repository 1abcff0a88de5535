import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import BadRequest, TargetTooLong
from proxy.target import MAX_PAIRS, Target, decode_segment, normalise, split_query


@pytest.mark.parametrize(
    "raw,path,query",
    [
        ("/", "/", ""),
        ("/a/b", "/a/b", ""),
        ("/a?x=1&y", "/a", "x=1&y"),
        ("/a?", "/a", ""),
        ("//a///b", "/a/b", ""),
        ("/%41%2f%7e", "/A%2F~", ""),
        ("/a%20b", "/a%20b", ""),
        ("/a?x=%zz\\", "/a", "x=%zz\\"),
        ("http://example.com/a?b", "/a", "b"),
        ("http://example.com", "/", ""),
        ("http://example.com?b", "/", "b"),
        ("*", "*", ""),
        ("/...", "/...", ""),
        ("/.hidden", "/.hidden", ""),
        ("/a;v=1", "/a;v=1", ""),
    ],
)
def test_a_target_has_one_normal_form(raw: str, path: str, query: str) -> None:
    target = normalise(raw)
    assert (target.path, target.query) == (path, query)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a",
        "/..",
        "/a/../b",
        "/a/.",
        "/./a",
        "/%2e%2e/a",
        "/a/%2E%2e",
        "/%252e%252e",
        "/a%2f..%2fb",
        "/a\\..\\b",
        "/a%5c..%5cb",
        "/..;x/a",
        "/a%00",
        "/a%0d%0a",
        "/a%7f",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a b",
        "/a\x00",
        "/é",
        "/a#b",
        "ftp://example.com/",
        "http://user@example.com/",
        "http:///a",
        "example.com:443",
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(raw: str) -> None:
    with pytest.raises(BadRequest):
        normalise(raw)


def test_an_absolute_target_keeps_its_authority_for_comparison() -> None:
    assert normalise("http://Example.com:80/a").authority == "Example.com:80"
    assert normalise("/a").authority is None


def test_a_question_mark_alone_is_remembered() -> None:
    assert normalise("/a?") == Target("/a", "", True)
    assert normalise("/a") == Target("/a", "", False)


def test_a_target_over_the_limit_is_too_long() -> None:
    with pytest.raises(TargetTooLong):
        normalise("/" + "a" * 100, max_length=100)


@given(st.text(st.sampled_from("ab/.%2fFeE5cC;?=&\\~-0"), max_size=30))
def test_normalising_twice_changes_nothing(text: str) -> None:
    try:
        once = normalise("/" + text)
    except BadRequest:
        return
    again = normalise(once.path + ("?" + once.query if once.has_query else ""))
    assert again == once


def test_a_segment_is_decoded_as_utf8_and_other_bytes_are_kept() -> None:
    assert decode_segment("a%2Fb%20%C3%A9") == "a/b é"
    assert decode_segment("%ff%C3%A9") == "\udcffé"


@pytest.mark.parametrize(
    "query,pairs",
    [
        ("", []),
        ("a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        ("a+b=c%20d", [("a b", "c d")]),
        ("a&&b=", [("a", ""), ("b", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("a=%zz", [("a", "%zz")]),
    ],
)
def test_a_query_is_read_as_browsers_write_it(query: str, pairs: list[tuple[str, str]]) -> None:
    assert split_query(query) == pairs


@pytest.mark.parametrize("query", ["a=%ff", "&" * MAX_PAIRS])
def test_a_query_that_cannot_be_read_is_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        split_query(query)
