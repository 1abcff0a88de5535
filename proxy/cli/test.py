"""`test`: runs the tests that stand beside the routes, without any network."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli.terminal import IMPOSSIBLE, OK, WRONG, failure_code, paint, show_problems, sign
from proxy.loading import load
from proxy.problems import did_you_mean

if TYPE_CHECKING:
    from proxy.testing.runner import Result


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "test",
        help="run the tests beside the routes",
        description="Run the tests: of a configuration with stubs instead of upstreams, in virtual time.",
    )
    parser.add_argument("file", nargs="?", default="routes.yaml", help="the configuration (default: routes.yaml)")
    parser.add_argument("--route", metavar="NAME", help="only the tests of this route")
    parser.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    loaded = load(arguments.file)
    if loaded.plan is None:
        show_problems(loaded, sys.stderr)
        return failure_code(loaded)
    names = [route.name for route in loaded.plan.routes]
    if arguments.route is not None and arguments.route not in names:
        print(f"there is no route {arguments.route!r}: {did_you_mean(arguments.route, names)}", file=sys.stderr)
        return WRONG
    from proxy.testing.junit import junit  # noqa: PLC0415 – brings the engine, which no other command needs
    from proxy.testing.runner import run_tests  # noqa: PLC0415

    results = run_tests(loaded.plan, arguments.route)
    show(results)
    if arguments.junit is not None:
        try:
            Path(arguments.junit).write_bytes(junit(results))
        except OSError as error:
            print(f"{arguments.junit}: {error.strerror}", file=sys.stderr)
            return IMPOSSIBLE
    return WRONG if any(result.failures for result in results) else OK


def show(results: "Sequence[Result]") -> None:
    """A line for each test, its failures below it, and a count."""
    for result in results:
        mark = paint("red", sign("✗", "FAIL")) if result.failures else paint("green", sign("✓", "ok"))
        print(f"{mark} {result.route}: {result.name}")
        for failure in result.failures:
            print(f"    {failure}")
    failed = sum(bool(result.failures) for result in results)
    routes = len({result.route for result in results})
    print(f"{len(results)} tests of {routes} routes, {failed} failed" if results else "there are no tests")
