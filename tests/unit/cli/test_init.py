from pathlib import Path
from typing import Any


def test_what_init_writes_passes_check(cli: Any) -> None:
    ran = cli("init", "new.yaml")
    assert ran.code == 0
    assert "check new.yaml" in ran.out
    assert cli("check", "new.yaml", "--strict").code == 0


def test_without_a_name_it_is_printed(cli: Any) -> None:
    assert "version: 1" in cli("init").out


def test_a_file_that_is_there_is_never_overwritten(cli: Any) -> None:
    Path("mine.yaml").write_text("precious")
    ran = cli("init", "mine.yaml")
    assert ran.code == 2
    assert "mine.yaml" in ran.err
    assert Path("mine.yaml").read_text() == "precious"


def test_a_folder_that_is_not_there_is_exit_2_and_one_line(cli: Any) -> None:
    ran = cli("init", "nowhere/routes.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "nowhere/routes.yaml: No such file or directory\n"
