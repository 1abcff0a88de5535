from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.tree import MAX_ALIASED_NODES, MAX_DEPTH, locate, parse_tree, resolve, to_plain
from proxy.problems import Span


def plain(text: str) -> Any:
    node, problems = parse_tree(text, "f.yaml")
    assert problems == []
    return to_plain(node)


def codes(text: str) -> list[str]:
    return [problem.code for problem in parse_tree(text, "f.yaml")[1]]


@pytest.mark.parametrize(
    "text,value",
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("12:30", "12:30"),
        ("22:22:22", "22:22:22"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("-5", -5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("=", "="),
        ("0b1", "0b1"),
    ],
)
def test_a_plain_scalar_follows_the_yaml_1_2_core_schema(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@given(st.integers())
def test_a_whole_number_is_itself(number: int) -> None:
    assert resolve(str(number)) == number


def test_a_number_of_thousands_of_digits_stays_text() -> None:
    assert resolve("1" * 5000) == "1" * 5000


def test_quoted_scalars_are_text() -> None:
    assert plain("{a: 'true', b: \"1\", c: 1}") == {"a": "true", "b": "1", "c": 1}


def test_keys_are_text() -> None:
    assert plain("{1: a, true: b, no: c}") == {"1": "a", "true": "b", "no": "c"}


def test_anchors_and_merge_keys_work_and_what_is_written_here_wins() -> None:
    assert plain("a: &d {x: 1, y: 2}\nb: {<<: *d, y: 3}\nc: *d\n") == {
        "a": {"x": 1, "y": 2},
        "b": {"y": 3, "x": 1},
        "c": {"x": 1, "y": 2},
    }


def test_a_duplicate_key_is_a_problem_with_its_place() -> None:
    _, (problem,) = parse_tree("a: 1\nb: 2\na: 3\n", "f.yaml")
    assert (problem.code, problem.span) == ("duplicate-key", Span("f.yaml", 3, 1))
    assert "line 1" in problem.hint


@pytest.mark.parametrize(
    "text,code",
    [
        ("a: *b", "unknown-anchor"),
        ("a: &a [*a]", "endless-alias"),
        ("--- 1\n--- 2", "several-documents"),
        ("? [a]\n: b", "bad-key"),
        ("a: !!python/object:os.system x", "bad-tag"),
        ("a: !!int x", "bad-tag"),
        ("<<: 1", "bad-merge"),
        ("a: [", "bad-yaml"),
        ("a: b: c", "bad-yaml"),
        ("\ta: 1", "bad-yaml"),
        ("a: \x00", "bad-yaml"),
    ],
)
def test_what_cannot_be_meant_is_a_problem(text: str, code: str) -> None:
    assert code in codes(text)


def test_nesting_is_bounded_before_the_parser_is_in_danger() -> None:
    assert codes("[" * 100_000) == ["too-deep"]
    assert codes("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []


def test_a_billion_laughs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert codes("\n".join(lines)) == ["too-many-aliases"]


def test_ordinary_use_of_aliases_is_far_from_the_limit() -> None:
    assert MAX_ALIASED_NODES > 1000
    assert codes("d: &d {a: 1}\n" + "\n".join(f"k{n}: *d" for n in range(1000))) == []


def test_a_path_is_found_at_its_value_or_its_key() -> None:
    node, _ = parse_tree("routes:\n  - name: a\n    match: GET /\n", "f.yaml")
    assert locate(node, ("routes", 0, "match"), False, "f.yaml") == Span("f.yaml", 3, 12)
    assert locate(node, ("routes", 0, "match"), True, "f.yaml") == Span("f.yaml", 3, 5)


def test_a_path_beyond_what_is_written_is_where_it_left_off() -> None:
    node, _ = parse_tree("routes:\n  - name: a\n", "f.yaml")
    assert locate(node, ("routes", 0, "timeout"), False, "f.yaml") == Span("f.yaml", 2, 5)
    assert locate(None, ("a",), False, "f.yaml") == Span("f.yaml", 1, 1)


def test_an_empty_file_has_no_root() -> None:
    assert parse_tree("# only a comment\n", "f.yaml") == (None, [])


@given(st.text(max_size=40))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    parse_tree(text, "f.yaml")
