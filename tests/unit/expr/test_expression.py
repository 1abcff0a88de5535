from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.document import decode_json
from proxy.errors import ExtractionFailed
from proxy.expr.expression import (
    compile_string,
    from_client,
    only_client,
    or_missing,
    split_alternatives,
    split_holes,
    unescape,
)
from proxy.expr.scope import MISSING, Scope, Vocabulary
from proxy.problems import Invalid

NAMES = Vocabulary(calls=frozenset({"user", "order"}), params=frozenset({"id"}), local=frozenset({"item"}))
SCOPE = Scope(
    {
        "user": decode_json(b'{"name": "Ann", "nick": null, "tags": ["a"], "score": 1.50, "ok": true}'),
        "params": {"id": 7},
        "query": {},
        "headers": {"x-foo": "bar"},
        "calls": {"user": {"status": 200, "headers": {"x-a": "b"}}},
    }
)


def evaluate(text: str) -> Any:
    return compile_string(text, NAMES).evaluate(SCOPE)


@pytest.mark.parametrize(
    "text,expected",
    [
        ("plain", "plain"),
        ("$", "$"),
        ("$x", "$x"),
        ("$$.user.name", "$.user.name"),
        ("$${user.name}", "${user.name}"),
        ("a $${b} ${user.name}", "a ${b} Ann"),
        ("$.params.id", 7),
        ("$.user.tags", ["a"]),
        ("$.user.nick", None),
        ("$.user.none", MISSING),
        ("$.user.nick ?? $.user.none ?? 'x'", "x"),
        ('$.user.nick ?? "a ?? b"', "a ?? b"),
        ("$.user.none ?? []", []),
        ('$.user.none ?? {"a": 1}', {"a": 1}),
        ("$.user.none ?? true", True),
        ("$.user.ok ?? false", True),
        ("$.headers.X-FOO", "bar"),
        ("$.calls.user.status", 200),
        ("$.calls.user.headers.X-A", "b"),
        ("${user.name} is ${params.id}, ${user.score}, ${user.ok}", "Ann is 7, 1.50, true"),
        ("${user.nick ?? user.name}", "Ann"),
        ('${user.nick ?? "}"}', "}"),
    ],
)
def test_a_string_means(text: str, expected: object) -> None:
    assert evaluate(text) == expected


@pytest.mark.parametrize("text", ["${user.nick}", "${user.none}", "${user.tags}", "${user}"])
def test_text_cannot_be_made_of_null_nothing_lists_or_objects(text: str) -> None:
    with pytest.raises(ExtractionFailed):
        evaluate(text)
    assert or_missing(compile_string(text, NAMES).evaluate)(SCOPE) is MISSING


@pytest.mark.parametrize(
    "text,code,hint",
    [
        ("$.usr.name", "unknown-root", "user"),
        ("$.params.ix", "unknown-param", "id"),
        ("$.calls.usr.status", "unknown-call", "user"),
        ("$.calls.user.stat", "unknown-field", "status"),
        ("$.request.metod", "unknown-field", "method"),
        ("$.client.ipp", "unknown-field", "ip"),
        ("${user.tags[*]}", "plural-path", "[0]"),
        ("${user.name", "bad-template", "$${"),
        ("$.user.name ?? ", "bad-expression", "default"),
        ("$.user.name ?? nobody", "bad-expression", "nobody"),
        ("$.user.name ?? [1", "bad-expression", "JSON"),
        ("${}", "bad-path", ""),
    ],
)
def test_an_expression_that_cannot_work_is_refused(text: str, code: str, hint: str) -> None:
    with pytest.raises(Invalid) as refused:
        compile_string(text, NAMES)
    assert refused.value.code in (code, "bad-expression")
    assert hint in refused.value.hint


def test_references_say_what_is_read() -> None:
    reads = compile_string("${user.name} ${params.id} ${item.x}", NAMES).reads
    assert [(read.root, read.call) for read in reads] == [("user", "user"), ("params", None), ("item", None)]


def test_a_loops_name_hides_a_call() -> None:
    names = Vocabulary(calls=frozenset({"item"}), local=frozenset({"item"}))
    assert compile_string("$.item.x", names).reads[0].call is None


def test_what_the_client_has_a_say_in_is_told_from_what_it_decides_alone() -> None:
    mixed = compile_string("${user.name} ${params.id}", NAMES).reads
    assert from_client(mixed)
    assert not only_client(mixed)
    assert only_client(compile_string("$.params.id", NAMES).reads)
    assert not only_client(())


@given(st.text())
def test_an_escaped_text_is_the_literal_that_it_was(text: str) -> None:
    escaped = text.replace("${", "$${")
    if escaped.startswith(("$.", "$$")) and not escaped.startswith("$${"):
        escaped = "$" + escaped
    assert evaluate(escaped) == text


def test_holes_are_found_between_quotes_and_braces() -> None:
    parts = split_holes("a${ x ?? '}' }b$${c}")
    assert [part if isinstance(part, str) else part.text for part in parts] == ["a", "x ?? '}'", "b${c}"]


def test_alternatives_are_split_outside_quotes_and_brackets() -> None:
    assert split_alternatives('$.a[\'??\'] ?? "??" ?? ["??"]') == ["$.a['??']", '"??"', '["??"]']


def test_a_literal_loses_its_escapes() -> None:
    assert [unescape(text) for text in ("$$", "$$$", "a$$", "$${")] == ["$", "$$", "a$$", "${"]
