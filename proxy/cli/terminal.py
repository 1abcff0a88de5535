"""What commands share about terminals: loading a file with its problems shown, and when to use colour."""

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


def show_problems(loaded: Loaded, stream: TextIO) -> None:
    """Print all problems with their source lines."""
    if loaded.problems:
        print(render(loaded.problems, loaded.texts, use_colour(stream)), file=stream)


def load_plan(path: str) -> Plan | None:
    """The plan of a file, or None after its errors were printed. Warnings are left to `check`."""
    loaded = load(path)
    if loaded.plan is None:
        show_problems(loaded, sys.stderr)
    return loaded.plan


def failure_code(loaded: Loaded) -> int:
    """1 for a configuration with errors, 2 for one that could not be read at all."""
    return IMPOSSIBLE if loaded.unreadable else WRONG
