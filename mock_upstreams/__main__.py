"""`python -m mock_upstreams users|products|all`: runs the services until it is told to stop."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable

from aiohttp import web

from mock_upstreams import products, users

SERVICES: dict[str, tuple[Callable[[], web.Application], int]] = {
    "users": (users.make_app, 9001),
    "products": (products.make_app, 9002),
}


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mock_upstreams", description=__doc__)
    parser.add_argument("service", choices=[*SERVICES, "all"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="for a single service; 0 takes a free one")
    for name, (_, port) in SERVICES.items():
        parser.add_argument(f"--{name}-port", type=int, default=port, help=f"default: {port}")
    return parser


def main() -> int:
    arguments = make_parser().parse_args()
    names = list(SERVICES) if arguments.service == "all" else [arguments.service]
    ports = {name: getattr(arguments, f"{name}_port") for name in names}
    if arguments.port is not None and len(names) == 1:
        ports[names[0]] = arguments.port
    try:
        asyncio.run(run(ports, arguments.host))
    except (OSError, OverflowError) as error:
        print(f"mock_upstreams: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 1
    return 0


async def run(ports: dict[str, int], host: str) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError for a port that cannot be had."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    runners: list[web.AppRunner] = []
    try:
        for name, port in ports.items():
            runner = web.AppRunner(SERVICES[name][0](), access_log=None, handle_signals=False, shutdown_timeout=1)
            await runner.setup()
            runners.append(runner)
            await web.TCPSite(runner, host, port).start()
            print(f"{name} listening on http://{host}:{runner.addresses[0][1]}", flush=True)
        await stopping.wait()
    finally:
        for runner in runners:
            await runner.cleanup()


if __name__ == "__main__":
    raise SystemExit(main())
