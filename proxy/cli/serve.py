"""`serve`: runs the gateway until it is told to stop."""

import argparse

from proxy.cli.terminal import port_number


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="run the gateway",
        description="Run the gateway. It reloads when the configuration changes, on SIGHUP and on POST /api/reload; "
        "SIGTERM drains and stops it.",
    )
    parser.add_argument(
        "--config", default="routes.yaml", metavar="FILE", help="the configuration (default: routes.yaml)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument("--port", type=port_number, default=8000, help="the port; 0 takes a free one (default: 8000)")
    parser.add_argument(
        "--admin-host",
        default="127.0.0.1",
        metavar="HOST",
        help="where the admin listener listens (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--admin-port",
        type=port_number,
        default=8001,
        metavar="PORT",
        help="its port; 0 takes a free one (default: 8001)",
    )
    parser.add_argument(
        "--admin-token-file",
        metavar="FILE",
        help="what the admin listener demands as a bearer token; or set PROXY_ADMIN_TOKEN. "
        "Needed where it is not on loopback",
    )
    parser.add_argument(
        "--redirect-port",
        type=port_number,
        metavar="PORT",
        help="beside server.tls: listen here too, without TLS, and send clients on to https",
    )
    parser.add_argument("--no-access-log", action="store_true", help="write no line per request")
    parser.add_argument(
        "--workers", type=_positive, default=1, metavar="N", help="serve with so many processes (default: 1)"
    )
    parser.add_argument(
        "--reuse-port",
        action="store_true",
        help="share the ports with another process of this user, so that it can take this one's place (Linux)",
    )
    parser.add_argument("--as-worker", default=None, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1024")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    from proxy.cli import serving  # noqa: PLC0415 – a fifth of a second that no other command pays

    return serving.run(arguments)
