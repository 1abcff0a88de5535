"""`proxy-composer COMMAND …`: finds the command and runs it."""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from proxy import __version__
from proxy.cli import check, explain, health, init, routes, schema, serve, test, try_

COMMANDS = (serve, check, test, try_, routes, explain, schema, init, health)

_EPILOG = """exit codes:
  0  it worked
  1  the configuration has errors, or what was asked about is not so
  2  it could not be done: wrong arguments, an unreadable file, a port in use

start here:
  proxy-composer init > routes.yaml
  proxy-composer check routes.yaml
  proxy-composer serve --config routes.yaml
"""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="proxy-composer",
        description="A reverse proxy and composer that one file declares.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"proxy-composer {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    for module in COMMANDS:
        module.add(commands)
    return parser


def console() -> NoReturn:
    """The console script: run one command and end the process with its exit code."""
    code = main()
    if sys.stdout is not None:
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking a large plan apart, object by object, takes a tenth of the time of `check`


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parsed = make_parser().parse_args(arguments)
    if parsed.run is not serve.run:
        gc.disable()  # such a command is over before a collection pays
    try:
        code = parsed.run(parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`… | head`); nothing is left to say, not even at exit.
        sys.stdout = None
        return 0
    return int(code)
