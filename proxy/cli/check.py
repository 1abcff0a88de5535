"""`check`: every problem of a configuration and all its includes, in one run."""

import argparse
import sys

from proxy.cli.terminal import OK, failure_code, show_problems
from proxy.config.render import to_json
from proxy.document import encode_json
from proxy.loading import load


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "check",
        help="report every problem of a configuration",
        description="Report every problem of a configuration and its includes, with its place and a hint.",
    )
    parser.add_argument("file", nargs="?", default="routes.yaml", help="the configuration (default: routes.yaml)")
    parser.add_argument("--json", action="store_true", help="print the problems as a JSON document")
    parser.add_argument("--strict", action="store_true", help="exit 1 for warnings too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    loaded = load(arguments.file)
    ok = loaded.plan is not None and not (arguments.strict and loaded.problems)
    if arguments.json:
        print(encode_json({"ok": ok, "problems": to_json(loaded.problems)}).decode())
    else:
        show_problems(loaded, sys.stdout)
        if loaded.plan is not None:
            print(f"{arguments.file}: ok, {len(loaded.plan.routes)} routes, {len(loaded.plan.upstreams)} upstreams")
    if ok:
        return OK
    return failure_code(loaded)
