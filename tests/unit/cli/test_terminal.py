import io
from pathlib import Path

import pytest

from proxy.cli.terminal import failure_code, load_plan, show_problems, use_colour
from proxy.loading import load


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_colour_is_for_terminals() -> None:
    assert use_colour(Terminal())
    assert not use_colour(io.StringIO())


@pytest.mark.parametrize("name,value", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_user_may_want_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert not use_colour(Terminal())


def test_problems_are_coloured_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 2")
    terminal, file = Terminal(), io.StringIO()
    loaded = load(str(tmp_path / "a.yaml"), {})
    show_problems(loaded, terminal)
    show_problems(loaded, file)
    assert "\x1b[31m" in terminal.getvalue()
    assert "\x1b" not in file.getvalue()


def test_a_plan_that_cannot_be_had_is_explained_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("version: 2")
    assert load_plan(str(tmp_path / "a.yaml")) == 1
    assert "a.yaml:1:" in capsys.readouterr().err


def test_what_cannot_be_read_has_another_exit_code_than_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 2")
    assert failure_code(load(str(tmp_path / "a.yaml"), {})) == 1
    assert failure_code(load(str(tmp_path / "gone.yaml"), {})) == 2
