import asyncio
import errno
import signal
from argparse import Namespace
from pathlib import Path

import pytest
import uvloop
from aiohttp import http_parser

from proxy.cli import serving
from proxy.cli.serving import _listening_problem, _loop_factory, run

ARGUMENTS = Namespace(
    workers=1,
    reuse_port=False,
    as_worker=None,
    host="127.0.0.1",
    port=0,
    redirect_port=None,
    admin_host="127.0.0.1",
    admin_port=0,
    admin_token=None,
    admin_token_file=None,
    no_access_log=True,
)


def test_uvloop_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _loop_factory() is uvloop.new_event_loop
    monkeypatch.setattr(serving.importlib.util, "find_spec", lambda name: None)
    assert _loop_factory() is None


def test_a_port_in_use_is_one_line_that_says_what_to_do() -> None:
    text = _listening_problem(OSError(errno.EADDRINUSE, "Address already in use"), ARGUMENTS)
    assert "in use" in text
    assert "--port" in text
    assert "\n" not in text


def test_aiohttp_without_its_compiled_parser_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    monkeypatch.setattr(serving, "set_up_logging", lambda: None)
    assert run(ARGUMENTS) == 2
    assert "compiled parser" in capsys.readouterr().err


async def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "routes.yaml").write_text("version: 1\nroutes: [{name: a, match: /, reply: {}}]\n")
    listening = asyncio.Event()
    monkeypatch.setattr(serving.gc, "freeze", lambda: listening.set())
    arguments = Namespace(**{**vars(ARGUMENTS), "config": str(tmp_path / "routes.yaml")})
    task = asyncio.get_running_loop().create_task(serving.serve(arguments))
    await asyncio.wait_for(listening.wait(), 10)
    signal.raise_signal(signal.SIGTERM)
    assert await asyncio.wait_for(task, 10) == 0


async def test_a_config_that_is_refused_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = Namespace(**{**vars(ARGUMENTS), "config": str(tmp_path / "gone.yaml")})
    assert await serving.serve(arguments) == 2
    assert "unreadable-file" in capsys.readouterr().err
