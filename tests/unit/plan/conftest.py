"""A plan from the text of a routes.yaml."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from proxy.loading import load
from proxy.plan.nodes import Plan
from proxy.problems import Problem

PlanOf = Callable[[str], Plan]
CodesOf = Callable[[str], list[str]]


@pytest.fixture
def plan_of(tmp_path: Path) -> PlanOf:
    def make(text: str) -> Plan:
        (tmp_path / "routes.yaml").write_text(text)
        loaded = load(str(tmp_path / "routes.yaml"), {})
        assert loaded.plan is not None, [str(problem) for problem in loaded.problems]
        return loaded.plan

    return make


@pytest.fixture
def codes_of(tmp_path: Path) -> CodesOf:
    def make(text: str) -> list[str]:
        (tmp_path / "routes.yaml").write_text(text)
        return [problem.code for problem in load(str(tmp_path / "routes.yaml"), {}).problems]

    return make


@pytest.fixture
def problems_of(tmp_path: Path) -> Callable[[str], Sequence[Problem]]:
    def make(text: str) -> Sequence[Problem]:
        (tmp_path / "routes.yaml").write_text(text)
        return load(str(tmp_path / "routes.yaml"), {}).problems

    return make
