from collections.abc import Callable, Sequence
from typing import Any

import pytest

from proxy.config.server import ServerTls
from proxy.plan.compile_tls import compile_server_tls
from proxy.problems import Place, Problem, Span


def compiled(value: Any) -> tuple[Any, Sequence[Problem]]:
    found: list[Problem] = []
    place = Place(found, lambda path, at_key: Span("f", 1, 1))
    return compile_server_tls(ServerTls.model_validate(value), place), found


def test_names_are_in_lower_case() -> None:
    plan, problems = compiled({"certificates": [{"cert": "a.pem", "names": ["A.Example", "*.b.example"]}]})
    assert (plan.certificates[0].names, problems) == (("a.example", "*.b.example"), [])


def test_without_tls_there_is_none() -> None:
    make: Callable[..., Any] = compile_server_tls
    assert make(None, None) is None


@pytest.mark.parametrize(
    "certificates,code",
    [
        ([{"cert": "a"}, {"cert": "b"}], "missing-key"),
        ([{"cert": "a", "names": ["a b"]}], "bad-host"),
        ([{"cert": "a", "names": ["*"]}], "bad-host"),
        ([{"cert": "a", "names": ["x.*.y"]}], "bad-host"),
        ([{"cert": "a", "names": ["a.b"]}, {"cert": "b", "names": ["A.b"]}], "duplicate-name"),
    ],
)
def test_what_cannot_be_is_a_problem(certificates: Any, code: str) -> None:
    assert [problem.code for problem in compiled({"certificates": certificates})[1]] == [code]
