from typing import Any

import pytest

from proxy.errors import ExtractionFailed, UnsafeValue
from proxy.expr.scope import Scope, Vocabulary
from proxy.plan.fields import (
    compile_header_changes,
    compile_headers,
    compile_query,
    encode_fields,
    header_values,
    statuses,
)
from proxy.problems import Place, Problem, Span

NAMES = Vocabulary(calls=frozenset({"user"}), params=frozenset({"id"}))


def place(found: list[Problem]) -> Place:
    return Place(found, lambda path, at_key: Span("/".join(map(str, path)), 1, 1))


def query(values: dict[str, Any], scope: dict[str, Any]) -> str:
    found: list[Problem] = []
    fields, _ = compile_query(values, NAMES, place(found))
    assert found == []
    return encode_fields(fields, Scope(scope))


def headers(values: dict[str, Any], scope: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[Problem] = []
    fields, _ = compile_headers(values, NAMES, place(found))
    assert found == []
    return header_values(fields, Scope(scope))


def header_problems(values: dict[str, Any]) -> list[str]:
    found: list[Problem] = []
    compile_headers(values, NAMES, place(found))
    return [f"{problem.code} {problem.span.file}" for problem in found]


def test_status_patterns_stand_for_codes() -> None:
    assert statuses(("404",)) == {404}
    assert statuses(("2xx", "304")) == {*range(200, 300), 304}


@pytest.mark.parametrize(
    "values,expected",
    [
        ({"a": "b c", "d&": "e=f"}, "a=b%20c&d%26=e%3Df"),
        ({"a": 1, "b": True, "c": 1.5, "d": None}, "a=1&b=true&c=1.5"),
        ({"a": ["x", "$.params.id"]}, "a=x&a=7"),
        ({"a": "$.user.tags", "b": "$.user.none", "c": "$.user.null"}, "a=x&a=y"),
        ({}, ""),
    ],
)
def test_a_query_repeats_lists_and_leaves_out_what_is_not_there(values: dict[str, Any], expected: str) -> None:
    assert query(values, {"params": {"id": 7}, "user": {"tags": ["x", "y", None], "null": None}}) == expected


@pytest.mark.parametrize("value", [{"a": 1}, [[1]]])
def test_a_query_value_is_a_scalar(value: Any) -> None:
    with pytest.raises(ExtractionFailed):
        query({"a": "$.user"}, {"user": value})


def test_a_line_break_is_the_fault_of_whoever_chose_it() -> None:
    with pytest.raises(UnsafeValue):
        query({"a": "$.params.id"}, {"params": {"id": "a\r\nb"}})
    with pytest.raises(ExtractionFailed):
        query({"a": "$.user"}, {"user": "a\r\nb"})


def test_a_header_that_is_null_or_missing_is_left_out() -> None:
    assert headers({"A": "$.user.x", "B": "$.user.y", "C": 1}, {"user": {"x": None}}) == [("C", "1")]


def test_a_header_is_trimmed_and_may_be_any_utf8() -> None:
    assert headers({"A": "$.user"}, {"user": " é\t"}) == [("A", "é")]


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "\x00", "\x7f", "\ud800"])
def test_a_header_that_would_break_out_is_refused(value: str) -> None:
    with pytest.raises(ExtractionFailed):
        headers({"A": "$.user"}, {"user": value})
    with pytest.raises(UnsafeValue):
        headers({"A": "$.params.id"}, {"params": {"id": value}})


@pytest.mark.parametrize("value", [[], {}, ["a"]])
def test_a_header_is_a_scalar(value: Any) -> None:
    with pytest.raises(ExtractionFailed):
        headers({"A": "$.user"}, {"user": value})


@pytest.mark.parametrize(
    "values,problem",
    [
        ({"X A": "1"}, "bad-header X A"),
        ({"Content-Length": "1"}, "bad-header Content-Length"),
        ({"transfer-encoding": "chunked"}, "bad-header transfer-encoding"),
        ({"A": "x\r\ny"}, "bad-header A"),
        ({"A": "$.user[*]"}, "plural-path A"),
        ({"A": {"b": 1}}, "wrong-type A"),
        ({"A": "$.nobody"}, "unknown-root A"),
    ],
)
def test_a_header_that_cannot_work_is_a_problem_at_its_place(values: dict[str, Any], problem: str) -> None:
    assert header_problems(values) == [problem]


def test_what_is_set_replaces_what_was_there() -> None:
    class Rules:
        set = {"X-A": "1"}  # noqa: RUF012
        add = {"X-B": "2"}  # noqa: RUF012
        remove = ["X-C"]  # noqa: RUF012

    found: list[Problem] = []
    changes, _ = compile_header_changes(Rules, NAMES, place(found))
    assert changes.remove == {"x-a", "x-c"}
    assert [field.name for field in (*changes.set, *changes.add)] == ["X-A", "X-B"]
