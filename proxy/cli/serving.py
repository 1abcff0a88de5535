"""What `serve` does: load, listen, drain. Apart from its arguments, so that other commands need not import aiohttp."""

import argparse
import asyncio
import errno
import gc
import importlib.util
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from aiohttp import http_parser, web

from proxy.admin.app import make_admin
from proxy.background import Background
from proxy.cli import supervising
from proxy.cli.sharing import SETTLE_S, NoToken, Sockets, admin_token, allow_files, leave_port, open_sockets, say_where
from proxy.cli.terminal import IMPOSSIBLE, OK, show_problems
from proxy.events import Observer
from proxy.gateway import ConfigRefused, Gateway
from proxy.observe.accesslog import access_log
from proxy.observe.logs import set_up_logging
from proxy.observe.metrics import Metrics
from proxy.reload import load_on_hangup, watch_files
from proxy.server.adapter import Adapter
from proxy.server.listener import Listener
from proxy.server.sockets import can_share
from proxy.server.workers import report_ready

_LOG = logging.getLogger("proxy.serve")


def run(arguments: argparse.Namespace) -> int:
    """Run the gateway; returns the exit code."""
    set_up_logging()
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        print("aiohttp has no compiled parser here; reinstall it from a wheel for this platform", file=sys.stderr)
        return IMPOSSIBLE
    if arguments.reuse_port and not can_share():
        print("--reuse-port works on Linux only", file=sys.stderr)
        return IMPOSSIBLE
    try:
        # A worker's admin listener is a socket that its parent alone can open.
        arguments.admin_token = None if arguments.as_worker else admin_token(arguments, os.environ)
    except NoToken as error:
        print(error, file=sys.stderr)
        return IMPOSSIBLE
    if arguments.workers > 1 and arguments.as_worker is None:
        return supervising.run(arguments)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(serve(arguments))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed, asyncio's own loop otherwise."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 – optional

    return uvloop.new_event_loop


async def serve(arguments: argparse.Namespace) -> int:
    """Load, listen, and wait for the signal to stop. Nothing listens if anything is wrong."""
    metrics = Metrics()
    observers: list[Observer] = [metrics] if arguments.no_access_log else [metrics, access_log(sys.stdout.buffer)]
    gateway = Gateway(arguments.config, observers)
    memory = gateway.memory
    metrics.kept = lambda: (memory.size, len(memory), memory.evictions)
    try:
        await gateway.load("start")
    except ConfigRefused as refused:
        show_problems(refused.loaded, sys.stderr)
        return IMPOSSIBLE
    if arguments.redirect_port is not None and gateway.current.plan.server.tls is None:
        print("--redirect-port sends clients on to TLS, and the configuration has no server.tls", file=sys.stderr)
        await gateway.close()
        return IMPOSSIBLE
    stopping = asyncio.Event()
    async with Background() as background:
        _on_signals(stopping, background, gateway)
        try:
            await _serve_until(stopping, arguments, gateway, metrics, background)
        except OSError as error:
            print(_listening_problem(error, arguments), file=sys.stderr)
            return IMPOSSIBLE
        finally:
            await gateway.close()
    return OK


async def _serve_until(
    stopping: asyncio.Event, arguments: argparse.Namespace, gateway: Gateway, metrics: Metrics, background: Background
) -> None:
    adapter = gateway.make_adapter()
    listener = _listener(gateway, adapter)
    redirector: Listener | None = None
    admin = web.AppRunner(
        make_admin(gateway, metrics, lambda: not stopping.is_set(), arguments.admin_token),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=1,
    )
    await admin.setup()
    try:
        worker = Inherited(arguments.as_worker) if arguments.as_worker else None
        sockets = worker.open_sockets() if worker is not None else open_sockets(arguments)
        await web.SockSite(admin, sockets.admin).start()
        tls = gateway.make_entrance()
        where = await listener.open_on(sockets.listening, tls)
        if sockets.redirecting is not None:
            redirector = _listener(gateway, gateway.make_redirector(where[1]))
            await redirector.open_on(sockets.redirecting)
        background.start("watch files", watch_files(gateway))
        # What was loaded stays for good: it need not be walked by every collection.
        gc.collect()
        gc.freeze()
        # Requests leave no cycles (a test counts them), so looking for some after every 700 objects, as Python does by
        # itself, takes a fifth of the time and finds nothing.
        gc.set_threshold(20_000, 20, 20)
        if worker is not None:
            background.start("watch the parent", worker.report(stopping, "http" if tls is None else "https"))
        else:
            say_where(sockets, "http" if tls is None else "https")
        await stopping.wait()
        delay_s = gateway.current.plan.server.drain_delay_s
        if arguments.reuse_port and worker is None:
            leave_port(*sockets.public, sockets.admin)
            delay_s = max(delay_s, SETTLE_S)
        if delay_s:
            await asyncio.sleep(delay_s)
        drain_s = gateway.current.plan.server.drain_s
        _LOG.info("stopping: %d requests under way, draining for at most %g s", adapter.in_flight, drain_s)
        if adapter.tunnels:
            _LOG.info("stopping: %d WebSockets are open, each for as long as its route says", len(adapter.tunnels))
        if redirector is not None:
            await redirector.close(0.0)
        drained = await listener.close(drain_s, gateway.current.plan.server.drain_idle_s)
        _LOG.info("stopped" if drained else "stopped; some requests were cut off")
    finally:
        await admin.cleanup()


def _listener(gateway: Gateway, adapter: Adapter) -> Listener:
    return Listener(
        adapter,
        max_line=gateway.current.plan.server.max_target,
        settings=lambda: gateway.current.plan.server,
        files=allow_files(),
    )


class Inherited:
    """What a worker gets from its parent: `PUBLIC,CHANNEL,PATH`, the descriptors of the public sockets (joined by `+`)
    and of the channel, and its admin listener's socket.
    """

    def __init__(self, given: str) -> None:
        public, channel, self._path = given.split(",", 2)
        self._public, self._channel = [int(one) for one in public.split("+")], int(channel)

    def open_sockets(self) -> Sockets:
        """The public ones, which are its parent's and siblings' too, and its own for the admin listener."""
        public = [socket.socket(fileno=one) for one in self._public]
        for one in public:
            one.setblocking(False)
        Path(self._path).unlink(missing_ok=True)  # left by one that crashed in this worker's place
        admin = socket.socket(socket.AF_UNIX)
        admin.bind(self._path)
        return Sockets(public[0], admin, *public[1:])

    async def report(self, stopping: asyncio.Event, scheme: str) -> None:
        """Say that this worker serves, and by what; stop it when the parent is gone."""
        stream = await report_ready(socket.socket(fileno=self._channel), scheme)
        await stream.read()
        stopping.set()


def _on_signals(stopping: asyncio.Event, background: Background, gateway: Gateway) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def start(name: str, work: Coroutine[Any, Any, None]) -> None:
        background.start(name, work)

    load_on_hangup(gateway, start)


def _listening_problem(error: OSError, arguments: argparse.Namespace) -> str:
    where = f"{arguments.host}:{arguments.port} or admin {arguments.admin_host}:{arguments.admin_port}"
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {where}: a port is in use; choose another with --port or --admin-port"
    return f"cannot listen on {where}: {error.strerror or error}"
