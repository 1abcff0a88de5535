from typing import Any

import pytest

from proxy.plan.expressions import compile_re2
from proxy.problems import Place, Problem, Span


def compiled(text: str, **options: bool) -> tuple[Any, list[str]]:
    found: list[Problem] = []
    expression = compile_re2(text, Place(found, lambda path, at_key: Span("f", 1, 1)), **options)
    return expression, [problem.code for problem in found]


def test_case_counts_unless_said() -> None:
    assert compiled("^bot")[0].search("Bot/1") is None
    assert compiled("^bot", any_case=True)[0].search("Bot/1") is not None


def test_an_expression_that_would_take_for_ever_elsewhere_takes_no_time() -> None:
    assert compiled("^(a+)+$")[0].search("a" * 100_000 + "!") is None


@pytest.mark.parametrize("text", ["(", "(?<=a)b", r"(a)\1", "a{2000}"])
def test_what_re2_cannot_do_is_a_problem(text: str) -> None:
    assert compiled(text) == (None, ["bad-regex"])


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.plan.expressions.find_spec", lambda name: None)
    assert compiled("a") == (None, ["missing-extra"])
