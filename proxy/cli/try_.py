"""`try`: sends one real request and shows what its calls did, over time."""

import argparse
import asyncio
import shutil
import sys
from typing import TYPE_CHECKING

from proxy.cli.terminal import IMPOSSIBLE, OK, WRONG, load_plan, paint, sign
from proxy.document import InvalidJson, decode_json, encode_json
from proxy.problems import did_you_mean

if TYPE_CHECKING:
    from proxy.message import Request, Response
    from proxy.plan.nodes import Plan

_SHOWN = 1024 * 1024


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "try",
        help="send one real request and show its calls",
        description="Send one request through the configuration to the real upstreams, and draw its calls over time.",
    )
    parser.add_argument("target", metavar="ROUTE-OR-PATH", help="a path such as /users/1?x=2, or a route's name")
    parser.add_argument("--config", default="routes.yaml", metavar="FILE", help="default: routes.yaml")
    parser.add_argument("--method", help="default: GET, or the first method of the route")
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'")
    parser.add_argument("--body", default="", metavar="TEXT", help="sent as application/json unless a header says else")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a path parameter of the route"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    plan = load_plan(arguments.config)
    if isinstance(plan, int):
        return plan
    target = _target(plan, arguments)
    if target is None:
        return IMPOSSIBLE
    request, response = asyncio.run(_send(arguments, *target))
    _show(request, response)
    return OK if response.status < 500 else WRONG


def _target(plan: "Plan", arguments: argparse.Namespace) -> tuple[str, str] | None:
    """The method and path to ask for; None after saying what is wrong."""
    if arguments.target.startswith("/"):
        return arguments.method or "GET", arguments.target
    routes = {route.name: route for route in plan.routes}
    route = routes.get(arguments.target)
    if route is None:
        hint = did_you_mean(arguments.target, list(routes)) or "a path starts with a slash"
        print(f"there is no route {arguments.target!r}: {hint}", file=sys.stderr)
        return None
    from proxy.testing.requests import fill_path  # noqa: PLC0415

    values = dict(pair.partition("=")[::2] for pair in arguments.set)
    try:
        path = fill_path(route.pattern, values)
    except KeyError as missing:
        print(f"route {route.name!r} has a parameter {missing.args[0]}: add --set {missing.args[0]}=…", file=sys.stderr)
        return None
    return arguments.method or (route.methods[0] if route.methods else "GET"), path


async def _send(arguments: argparse.Namespace, method: str, path: str) -> "tuple[Request, Response]":
    from proxy.gateway import Gateway  # noqa: PLC0415 – brings aiohttp, which no other command needs
    from proxy.testing.requests import single_request  # noqa: PLC0415

    gateway = Gateway(arguments.config)
    try:
        await gateway.load("try")
        headers = [tuple(part.strip() for part in header.partition(":")[::2]) for header in arguments.header]
        request = single_request(method, path, headers, arguments.body.encode())
        response = await gateway.service(request)
        await _collect(response)
        return request, response
    finally:
        await gateway.close()


async def _collect(response: "Response") -> None:
    """Read an answer that is passed on as it comes, to its end or to where there is too much of it to be shown."""
    from proxy.errors import GatewayError  # noqa: PLC0415

    if response.stream is None:
        return
    try:
        while len(response.body) < _SHOWN and (piece := await response.stream.read()):
            response.body += piece
    except GatewayError as error:
        response.error = error.code
        print(f"the answer broke off: {error.detail}", file=sys.stderr)
    finally:
        response.end()


def _show(request: "Request", response: "Response") -> None:
    from proxy.testing.waterfall import waterfall  # noqa: PLC0415

    colour = "green" if response.status < 400 else "yellow" if response.status < 500 else "red"
    print(
        f"{paint(colour, str(response.status))} {request.method} {request.raw_target} → route {request.route or 'none'}"
    )
    for name, value in response.headers.items():
        print(paint("dim", f"{name}: {value}"))
    if response.body:
        print(f"\n{_pretty(response.body)}")
    plain = sign("█▏", "") == ""
    width = min(shutil.get_terminal_size((80, 24)).columns, 120)
    lines = waterfall(request.calls, width, **({"block": "#", "edge": "|"} if plain else {}))
    if lines:
        print()
        print("\n".join(lines))


def _pretty(body: bytes) -> str:
    import msgspec  # noqa: PLC0415

    try:
        return msgspec.json.format(encode_json(decode_json(body)), indent=2).decode()
    except InvalidJson:
        return body.decode("utf-8", "replace")
