from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.environment import Resolver, escape, mentions_environment
from proxy.config.tree import Scalar, parse_tree, to_plain
from proxy.expr.expression import compile_string
from proxy.expr.scope import Scope, Vocabulary


def resolve(
    text: str, env: dict[str, str] | None = None, secrets: dict[str, str] | None = None
) -> tuple[Any, Resolver]:
    resolver = Resolver(env or {}, (secrets or {}).get)
    scalar = Scalar("f", 1, 1, text, False)
    resolver.resolve(scalar)
    return scalar.value, resolver


def meaning(text: str) -> Any:
    """What the language makes of a resolved string."""
    return compile_string(text, Vocabulary(calls=frozenset({"user"}))).evaluate(Scope({"user": {"name": "Ann"}}))


@pytest.mark.parametrize(
    "text,resolved",
    [
        ("${env.A}", "x"),
        ("a ${env.A} b ${env.B ?? 'c'}", "a x b c"),
        ('${env.B ?? env.A ?? "c"}', "x"),
        ('${env.B ?? "a ?? b"}', "a ?? b"),
        ("${env.B ?? 8080}", "8080"),
        ("${env.B ?? true}", "true"),
        ("$.env.A", "x"),
        ("$.env.B ?? 'c'", "c"),
        ("${ env.A }", "x"),
        ("${user.name} ${env.A}", "${user.name} x"),
        ("plain", "plain"),
    ],
)
def test_the_environment_is_put_in(text: str, resolved: str) -> None:
    assert resolve(text, {"A": "x"})[0] == resolved


@given(st.text(), st.sampled_from(["", "a ", "$", "$$", "$.", "${user.name}"]), st.sampled_from(["", " b", "$", "{x}"]))
def test_a_value_that_comes_in_stays_what_it_is(value: str, before: str, after: str) -> None:
    # Only text that means itself may stand around it, or the whole would mean something else to begin with.
    around = before.replace("${user.name}", "Ann")
    if before in ("$", "$$", "$."):
        return
    text = f"{before}${{env.A}}{after}"
    assert meaning(resolve(text, {"A": value})[0]) == f"{around}{value}{after}"


TRICKY = st.text(st.sampled_from("${}.a'\"?"), max_size=8)


@given(TRICKY, TRICKY, TRICKY)
def test_values_beside_each_other_and_beside_holes_never_become_expressions(one: str, two: str, last: str) -> None:
    env = {"A": one, "B": two, "C": last}
    assert meaning(resolve("${env.A}${env.B}x${user.name}${env.C}", env)[0]) == f"{one}{two}xAnn{last}"
    assert meaning(resolve("${env.A}${user.name}", env)[0]) == f"{one}Ann"


def test_an_escaped_hole_is_told_from_the_same_hole() -> None:
    assert meaning(resolve("$${env.A} ${env.A}", {"A": "v"})[0]) == "${env.A} v"


def test_a_variable_inside_an_expression_is_a_problem() -> None:
    assert [problem.code for problem in resolve("$.user['${env.A}']", {"A": "v"})[1].problems] == ["bad-env"]


@given(st.text())
def test_a_whole_value_stays_what_it_is(value: str) -> None:
    assert meaning(resolve("$.env.A", {"A": value})[0]) == value
    assert meaning(resolve("${env.A}", {"A": value})[0]) == value


@given(st.text())
def test_an_escaped_text_means_itself(value: str) -> None:
    assert meaning(escape(value)) == value


def test_what_was_escaped_stays_escaped_around_a_variable() -> None:
    assert meaning(resolve("$${x} ${env.A}", {"A": "v"})[0]) == "${x} v"
    assert meaning(resolve("$$.x ${env.A}", {"A": "v"})[0]) == "$.x v"


def test_an_unset_variable_is_a_problem_with_its_place() -> None:
    node, _ = parse_tree("a:\n  b: ${env.NOPE}\n", "f.yaml")
    resolver = Resolver({}, {}.get)
    resolver.resolve(node)
    (problem,) = resolver.problems
    assert (problem.code, problem.span.line, problem.span.column) == ("unset-env", 2, 6)
    assert to_plain(node) == {"a": {"b": ""}}


def test_an_empty_variable_is_set() -> None:
    assert resolve("${env.A ?? 'x'}", {"A": ""})[0] == ""


def test_a_secret_is_remembered_so_that_no_message_repeats_it() -> None:
    value, resolver = resolve("Bearer ${secret.token}", secrets={"token": "s3cret"})
    assert value == "Bearer s3cret"
    assert resolver.secrets == {"s3cret"}


@pytest.mark.parametrize("text", ["${env.A ?? user.name}", "$.env.A ?? $.user.name"])
def test_what_is_known_when_loading_does_not_mix_with_what_is_not(text: str) -> None:
    assert [problem.code for problem in resolve(text)[1].problems] == ["bad-env"]


def test_an_aliased_scalar_is_resolved_once() -> None:
    node, _ = parse_tree("a: &a ${env.A}\nb: *a\n", "f.yaml")
    Resolver({"A": "${env.A}"}, {}.get).resolve(node)
    assert meaning(to_plain(node)["b"]) == "${env.A}"


@pytest.mark.parametrize(
    "text,holds", [("a: ${env.X}", True), ("$.secret.x", True), (r'"\x65nv"', True), ("a: b", False)]
)
def test_a_file_that_mentions_nothing_needs_no_walk(text: str, holds: bool) -> None:
    assert mentions_environment(text) is holds
