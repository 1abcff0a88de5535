"""`routes`: the table of routes."""

import argparse

from proxy.cli.terminal import OK, load_plan
from proxy.document import encode_json
from proxy.plan.explain import describe_routes, routes_table


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("routes", help="list the routes", description="List the routes of a configuration.")
    parser.add_argument(
        "--config", default="routes.yaml", metavar="FILE", help="the configuration (default: routes.yaml)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON document")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    plan = load_plan(arguments.config)
    if isinstance(plan, int):
        return plan
    print(encode_json(describe_routes(plan)).decode() if arguments.json else routes_table(plan))
    return OK
