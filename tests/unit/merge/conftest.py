"""Compiles one value of `merge` and evaluates it over a document."""

from collections.abc import Callable
from typing import Any

import pytest

from proxy.config.tree import parse_tree, to_plain
from proxy.expr.scope import Scope, Vocabulary
from proxy.merge.operators import OPERATORS
from proxy.merge.shape import Shape, Shaper
from proxy.problems import Place, Problem, Span

Merge = Callable[..., Any]


def compile_merge(text: str, roots: dict[str, Any], found: list[Problem]) -> Shape:
    names = Vocabulary(calls=frozenset(roots) | {"a", "b", "list", "user"})
    place = Place(found, lambda path, at_key: Span("/".join(map(str, path)), 1, 1))
    return Shaper(names, OPERATORS).compile(to_plain(parse_tree(text, "f")[0]), place)


@pytest.fixture
def merge() -> Merge:
    """`merge(text, **calls)`: the value that a merge written as YAML gives over the calls' results."""

    def evaluate(text: str, faults: list[str] | None = None, **calls: Any) -> Any:
        found: list[Problem] = []
        shape = compile_merge(text, calls, found)
        assert [problem for problem in found if problem.severity == "error"] == []
        scope = Scope(calls)
        value = shape.evaluate(scope)
        if faults is not None:
            faults += scope.faults
        return value

    return evaluate


@pytest.fixture
def problems() -> Callable[[str], list[str]]:
    """`problems(text)`: the code and the path of every problem in a merge."""

    def report(text: str) -> list[str]:
        found: list[Problem] = []
        compile_merge(text, {}, found)
        return [f"{problem.code} {problem.span.file}" for problem in found]

    return report
