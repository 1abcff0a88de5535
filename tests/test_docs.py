"""What the documents name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_test_and_page_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    named = [ROOT / name for name in re.findall(r"`(tests/[\w/.-]+\.(?:py|md))", text)]
    linked = [page.parent / link for link in re.findall(r"\]\(([\w/.-]+\.(?:md|svg|json|py))(?:#[\w-]+)?\)", text)]
    missing = [path.relative_to(ROOT).as_posix() for path in (*named, *linked) if not path.resolve().exists()]
    assert not missing
