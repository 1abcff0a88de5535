"""`health`: asks a running gateway whether it is ready; for container health checks, which have no curl."""

import argparse
import http.client
import sys

from proxy.cli.terminal import OK, WRONG, port_number


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "health",
        help="ask a running gateway whether it is ready",
        description="Exit 0 if the gateway is ready, else 1.",
    )
    parser.add_argument("--admin-host", default="127.0.0.1", metavar="HOST")
    parser.add_argument("--admin-port", type=port_number, default=8001, metavar="PORT")
    parser.add_argument("--timeout", type=_seconds, default=2.0, metavar="SECONDS")
    parser.set_defaults(run=run)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    connection = http.client.HTTPConnection(arguments.admin_host, arguments.admin_port, timeout=arguments.timeout)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        print(response.read().decode().strip())
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        print(f"no answer from {arguments.admin_host}:{arguments.admin_port}: {error}", file=sys.stderr)
        return WRONG
    finally:
        connection.close()
    return OK if response.status == 200 else WRONG
