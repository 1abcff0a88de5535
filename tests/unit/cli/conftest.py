"""The command line as a user has it: arguments in; exit code, output and errors out."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy.cli.main import main

ROUTES = """version: 1
upstreams: {users: "http://u"}
routes:
  - name: page
    match: GET /page/{id}
    calls:
      user: {get: "users:/users/${params.id}"}
      more: {get: "users:/more/${user.id}"}
    merge: $.more
"""


@dataclass
class Ran:
    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """Runs a command in a folder that holds a good routes.yaml and a broken bad.yaml."""
    monkeypatch.chdir(tmp_path)
    Path("routes.yaml").write_text(ROUTES)
    Path("bad.yaml").write_text(ROUTES.replace("more/${user.id}", "more/${usr.id}"))

    def run(*arguments: str) -> Ran:
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    yield run
    gc.enable()  # short commands turn it off for good
