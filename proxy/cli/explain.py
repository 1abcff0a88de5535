"""`explain`: what one route does, what waits for what, and why."""

import argparse
import sys

from proxy.cli.terminal import OK, WRONG, load_plan
from proxy.plan.explain import explain, mermaid
from proxy.problems import did_you_mean


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "explain",
        help="show a route's call graph",
        description="Show what a route calls, what waits for what and by which expression, and its critical path.",
    )
    parser.add_argument("route", help="the route's name")
    parser.add_argument(
        "--config", default="routes.yaml", metavar="FILE", help="the configuration (default: routes.yaml)"
    )
    parser.add_argument("--mermaid", action="store_true", help="print a Mermaid flowchart")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    plan = load_plan(arguments.config)
    if isinstance(plan, int):
        return plan
    routes = {route.name: route for route in plan.routes}
    if arguments.route not in routes:
        hint = did_you_mean(arguments.route, list(routes)) or f"there are {', '.join(sorted(routes)[:20]) or 'none'}"
        print(f"there is no route {arguments.route!r}: {hint}", file=sys.stderr)
        return WRONG
    route = routes[arguments.route]
    print(mermaid(route) if arguments.mermaid else explain(route))
    return OK
