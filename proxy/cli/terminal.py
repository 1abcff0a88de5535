"""What commands share about terminals: loading a file with its problems shown, and when to use colour."""

import argparse
import os
import sys
from typing import TextIO

from proxy.config.render import render
from proxy.loading import Loaded, load
from proxy.plan.nodes import Plan

OK, WRONG, IMPOSSIBLE = 0, 1, 2


def use_colour(stream: TextIO) -> bool:
    """Colour only on a terminal, and not where the user asked for none (no-color.org)."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


_COLOURS = {"red": "\x1b[31m", "green": "\x1b[32m", "yellow": "\x1b[33m", "dim": "\x1b[2m"}


def paint(colour: str, text: str) -> str:
    """Text in a colour, where standard output takes colours."""
    return f"{_COLOURS[colour]}{text}\x1b[0m" if use_colour(sys.stdout) else text


def sign(wanted: str, plain: str) -> str:
    """A sign, or its plain form where standard output cannot write it."""
    try:
        wanted.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return wanted


def show_problems(loaded: Loaded, stream: TextIO) -> None:
    """Print all problems with their source lines."""
    if loaded.problems:
        print(render(loaded.problems, loaded.texts, use_colour(stream)), file=stream)


def load_plan(path: str) -> Plan | int:
    """The plan of a file, or an exit code after its errors were printed. Warnings are left to `check`."""
    loaded = load(path)
    if loaded.plan is None:
        show_problems(loaded, sys.stderr)
        return failure_code(loaded)
    return loaded.plan


def port_number(text: str) -> int:
    """A port on the command line; 0 is a free one. Raises `argparse.ArgumentTypeError`."""
    if not text.isascii() or not text.isdigit() or int(text[:6]) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def failure_code(loaded: Loaded) -> int:
    """1 for a configuration with errors, 2 for one that could not be read at all."""
    return IMPOSSIBLE if loaded.unreadable else WRONG
