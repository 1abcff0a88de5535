"""`schema`: the JSON Schema of routes.yaml, for editors."""

import argparse
import json

from proxy.cli.terminal import OK
from proxy.config.schema import make_schema


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "schema",
        help="print the JSON Schema of routes.yaml",
        description="Print the JSON Schema of routes.yaml; editors complete and check by it.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    print(json.dumps(make_schema(), indent=2))
    return OK
