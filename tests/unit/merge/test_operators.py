import re
from pathlib import Path

from proxy.merge.operators import OPERATORS
from proxy.merge.shape import is_operator

DOCS = Path(__file__).parents[3] / "docs/routes-yaml.md"


def test_every_operator_is_named_as_one() -> None:
    assert all(is_operator(name) for name in OPERATORS)


def test_the_reference_describes_exactly_the_operators_that_there_are() -> None:
    described = set(re.findall(r"\{(\$[a-z_]+):", DOCS.read_text("utf-8")))
    assert described == set(OPERATORS)
