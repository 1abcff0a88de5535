import os
from pathlib import Path

import pytest

from proxy.config import source
from proxy.config.source import ABSENT, GLOB, fingerprint, read_sources, secret_reader
from proxy.config.tree import to_plain
from proxy.problems import Span


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_is_read_with_all_that_it_includes_in_order(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    Path("routes.yaml").write_text("include: [one.yaml, conf.d/*.yaml]\n")
    Path("one.yaml").write_text("{n: 1}")
    Path("conf.d/b.yaml").write_text("{n: 3}")
    Path("conf.d/a.yaml").write_text("{n: 2, include: ../three.yaml}")
    Path("three.yaml").write_text("{n: 2.5}")
    sources = read_sources("routes.yaml")
    assert [to_plain(node)["n"] for node in sources.included] == [1, 2, 2.5, 3]
    assert not sources.problems


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    Path("routes.yaml").write_bytes(b"\xef\xbb\xbfversion: 1")
    assert to_plain(read_sources("routes.yaml").root) == {"version": 1}


def test_a_folder_with_brackets_in_its_name_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "conf[1]").mkdir()
    Path("conf[1]/routes.yaml").write_text("include: [one.yaml, '*.yml']")
    Path("conf[1]/one.yaml").write_text("{n: 1}")
    Path("conf[1]/two.yml").write_text("{n: 2}")
    assert [to_plain(node)["n"] for node in read_sources("conf[1]/routes.yaml").included] == [1, 2]


def test_a_place_behind_a_byte_order_mark_and_wide_characters_is_right() -> None:
    Path("routes.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n\xc3\xa9: \xff")
    (problem,) = read_sources("routes.yaml").problems
    assert problem.span == Span("routes.yaml", 2, 4)


def test_a_missing_file_is_a_problem_at_its_include() -> None:
    Path("routes.yaml").write_text("include:\n  - gone.yaml\n")
    (problem,) = read_sources("routes.yaml").problems
    assert (problem.code, problem.span) == ("unreadable-file", Span("routes.yaml", 2, 5))


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    sources = read_sources("folder")
    assert sources.unreadable
    assert [problem.code for problem in sources.problems] == ["unreadable-file"]


def test_files_that_include_each_other_are_a_problem() -> None:
    Path("routes.yaml").write_text("include: other.yaml")
    Path("other.yaml").write_text("include: routes.yaml")
    assert [problem.code for problem in read_sources("routes.yaml").problems] == ["include-cycle"]


def test_a_byte_that_is_not_utf8_is_named_with_its_place() -> None:
    Path("routes.yaml").write_bytes(b"a: 1\nb: \xff")
    (problem,) = read_sources("routes.yaml").problems
    assert (problem.code, problem.span) == ("not-utf8", Span("routes.yaml", 2, 4))


def test_a_file_over_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILE", 10)
    Path("routes.yaml").write_text("version: 1 # and more")
    assert [problem.code for problem in read_sources("routes.yaml").problems] == ["file-too-large"]


def test_an_empty_file_is_a_problem() -> None:
    Path("routes.yaml").write_text("# nothing\n")
    assert [problem.code for problem in read_sources("routes.yaml").problems] == ["empty-file"]


def test_what_was_looked_for_is_watched_with_what_was_seen() -> None:
    Path("routes.yaml").write_text("include: [gone.yaml, conf.d/*.yaml]")
    assert read_sources("routes.yaml").watched == {
        "routes.yaml": fingerprint(b"include: [gone.yaml, conf.d/*.yaml]"),
        "gone.yaml": ABSENT,
        "conf.d/*.yaml": GLOB,
    }


def test_a_secret_is_a_file_without_its_last_line_break(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"a\nb\r\n")
    watched: dict[str, bytes] = {}
    assert secret_reader(str(tmp_path), watched)("token") == "a\nb"
    assert set(watched) == {str(tmp_path / "token")}


@pytest.mark.parametrize("name", ["../token", "a/b", "", ".", "..", ".hidden"])
def test_a_secrets_name_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    os.makedirs(tmp_path / "secrets")
    (tmp_path / "token").write_text("no")
    (tmp_path / "secrets" / ".hidden").write_text("no")
    watched: dict[str, bytes] = {}
    assert secret_reader(str(tmp_path / "secrets"), watched)(name) is None
    assert watched == {}


def test_a_secret_that_is_not_text_is_none(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    assert secret_reader(str(tmp_path), {})("key") is None
