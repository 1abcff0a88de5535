import pytest

from proxy.plan.pattern import Literal, Param, parse_pattern
from proxy.problems import Invalid


@pytest.mark.parametrize(
    "text,segments",
    [
        ("/", (Literal(""),)),
        ("/a/b", (Literal("a"), Literal("b"))),
        ("/a/", (Literal("a"), Literal(""))),
        ("/users/{id:int}", (Literal("users"), Param("id", "int"))),
        ("/{a}/{b:uuid}/{c:path}", (Param("a", "str"), Param("b", "uuid"), Param("c", "path"))),
        ("/a b/é", (Literal("a%20b"), Literal("%C3%A9"))),
        ("/%41", (Literal("A"),)),
        ("/a.json", (Literal("a.json"),)),
    ],
)
def test_a_path_is_literals_and_parameters(text: str, segments: tuple[object, ...]) -> None:
    assert parse_pattern(text).segments == segments


@pytest.mark.parametrize(
    "text,code,hint",
    [
        ("a", "bad-pattern", "write /a"),
        ("/a?x=1", "bad-pattern", "query:"),
        ("/{a}/{a}", "bad-pattern", "apart"),
        ("/{a:path}/b", "bad-pattern", "{name}"),
        ("/a//b", "unreachable-route", "one slash"),
        ("/{a}.json", "bad-pattern", "whole segment"),
        ("/{a-b}", "bad-pattern", "letters"),
        ("/{a:integer}", "bad-pattern", "int"),
        ("/:id", "bad-pattern", "{id}"),
        ("/a/*", "bad-pattern", "{rest:path}"),
        ("/a/../b", "unreachable-route", "clients"),
        ("/a%2", "unreachable-route", "clients"),
    ],
)
def test_a_path_that_cannot_work_is_refused_with_advice(text: str, code: str, hint: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_pattern(text)
    assert refused.value.code == code
    assert hint in refused.value.hint
