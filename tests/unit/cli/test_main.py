import os
import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

import pytest

from proxy import __version__
from proxy.cli import check
from proxy.cli.main import COMMANDS, console, main, make_parser


def test_help_shows_every_command_the_exit_codes_and_where_to_start(cli: Any) -> None:
    ran = cli("--help")
    assert ran.code == 0
    for module in COMMANDS:
        assert module.__name__.rpartition(".")[2].removesuffix("_") in ran.out
    assert "exit codes:" in ran.out
    assert "start here:" in ran.out


def test_every_command_has_a_help_of_its_own(cli: Any) -> None:
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2].removesuffix("_")
        ran = cli(name, "--help")
        assert ran.code == 0
        assert ran.out.startswith(f"usage: proxy-composer {name}")


def test_no_command_or_a_wrong_one_is_exit_2(cli: Any) -> None:
    assert cli().code == 2
    ran = cli("chekc")
    assert ran.code == 2
    assert "chekc" in ran.err


def test_the_version_is_told(cli: Any) -> None:
    assert cli("--version").out == f"proxy-composer {__version__}\n"


def test_the_console_script_is_this_program() -> None:
    (script,) = entry_points(group="console_scripts", name="proxy-composer")
    assert script.load() is console


def test_the_parser_needs_no_configuration() -> None:
    assert make_parser().prog == "proxy-composer"


@pytest.mark.parametrize("interruption,code", [(KeyboardInterrupt(), 130), (BrokenPipeError(), 0)])
def test_an_interruption_has_an_exit_code_and_no_traceback(
    interruption: BaseException, code: int, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(arguments: Any) -> int:
        raise interruption

    monkeypatch.setattr(check, "run", interrupt)
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # main lets go of it when its reader has gone
    assert main(["check"]) == code


def test_a_reader_that_went_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "proxy", "schema"], stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, b"")
