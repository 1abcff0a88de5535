"""`init`: a commented routes.yaml to start from."""

import argparse
import sys
from importlib.resources import files
from pathlib import Path

from proxy.cli.terminal import IMPOSSIBLE, OK


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "init",
        help="write a commented routes.yaml",
        description="Write a commented routes.yaml to start from, to a new file or to standard output.",
    )
    parser.add_argument("file", nargs="?", help="the file to make (default: standard output)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    text = (files("proxy.cli") / "template.yaml").read_text("utf-8")
    if arguments.file is None:
        print(text, end="")
        return OK
    try:
        with Path(arguments.file).open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        print(f"{arguments.file}: {error.strerror}", file=sys.stderr)
        return IMPOSSIBLE
    print(f"wrote {arguments.file}; next: proxy-composer check {arguments.file}")
    return OK
