"""Whole configurations to start from: each is right, and does what the tests beside its routes say."""

from pathlib import Path

import pytest

from proxy.loading import load
from proxy.testing.runner import run_tests

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_does_what_it_says(path: Path) -> None:
    loaded = load(str(path), {})
    assert loaded.plan is not None, loaded.problems
    results = run_tests(loaded.plan)
    assert len(results) >= len(loaded.plan.routes)
    assert [(result.route, result.name, result.failures) for result in results if result.failures] == []


def test_there_is_an_example() -> None:
    assert EXAMPLES
