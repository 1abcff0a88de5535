from typing import Any

import pytest

from proxy.plan.stores import check_redis, warn_of_plain
from proxy.problems import Place, Problem, Span


def found(url: str) -> tuple[bool, list[str]]:
    problems: list[Problem] = []
    place = Place(problems, lambda path, at_key: Span("f", 1, 1))
    return check_redis(url, "keys", "write redis://host", place), [str(problem) for problem in problems]


@pytest.mark.parametrize("url", ["redis://h", "rediss://:password@h:6380/1", "redis://[::1]:1/0"])
def test_a_redis_is_named_by_its_url(url: str) -> None:
    assert found(url) == (True, [])


@pytest.mark.parametrize("url", ["", "memory", "http://h", "redis://", "redis://h:0", "redis://:pw@h:x"])
def test_what_is_none_is_a_problem_that_does_not_repeat_it(url: str) -> None:
    usable, problems = found(url)
    assert not usable
    assert len(problems) == 1
    assert "pw" not in problems[0]


def test_the_package_that_is_missing_is_named(monkeypatch: Any) -> None:
    monkeypatch.setattr("proxy.plan.stores.find_spec", lambda name: None)
    assert "proxy-composer[redis]" in found("redis://h")[1][0]


@pytest.mark.parametrize(
    "url,warned",
    [("https://idp", False), ("http://idp", True), ("http://127.0.0.1:5", False), ("http://localhost", False)],
)
def test_an_issuer_without_tls_is_a_warning(url: str, warned: bool) -> None:
    problems: list[Problem] = []
    warn_of_plain(url, Place(problems, lambda path, at_key: Span("f", 1, 1)))
    assert [problem.severity for problem in problems] == ["warning"] * warned
