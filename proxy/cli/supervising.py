"""What `serve --workers N` does: open the sockets, have workers serve by them, and speak for all of them."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path

from aiohttp import web

from proxy.admin.together import Together, make_admin_of_all
from proxy.cli.sharing import SETTLE_S, Sockets, leave_port, open_sockets, say_where
from proxy.cli.terminal import IMPOSSIBLE, OK
from proxy.server.sockets import BACKLOG
from proxy.server.workers import Workers, python_command

_LOG = logging.getLogger("proxy.serve")


def run(arguments: argparse.Namespace) -> int:
    """Run the workers until told to stop; returns the exit code."""
    return asyncio.run(supervise(arguments))


async def supervise(arguments: argparse.Namespace) -> int:
    """Open, start, and wait for the signal to stop."""
    try:
        sockets = open_sockets(arguments)
    except OSError as error:
        print(f"cannot listen: {error.strerror or error}; choose another --port or --admin-port", file=sys.stderr)
        return IMPOSSIBLE
    with contextlib.ExitStack() as stack:
        for one in sockets.public:
            stack.enter_context(one).listen(BACKLOG)
        # The folder is for this user only (mkdtemp), and so are the workers' admin sockets in it.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="proxy-composer-"))
        return await _run_workers(arguments, sockets, Path(folder))


async def _run_workers(arguments: argparse.Namespace, sockets: Sockets, folder: Path) -> int:
    descriptors = [one.fileno() for one in sockets.public]

    def socket_of(number: int) -> str:
        return str(folder / f"{number}.sock")

    def command(number: int, channel: int) -> list[str]:
        inherited = f"{'+'.join(map(str, descriptors))},{channel},{socket_of(number)}"
        given = ["--config", arguments.config, "--as-worker", inherited]
        if arguments.redirect_port is not None:
            given += ["--redirect-port", str(arguments.redirect_port)]
        return python_command("serve", *given, *(["--no-access-log"] if arguments.no_access_log else []))

    workers = Workers(arguments.workers, command, descriptors)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, workers.signal, signal.SIGHUP)
    starting = loop.create_task(workers.start(), name="start workers")
    told = loop.create_task(stopping.wait(), name="wait for the signal to stop")
    await asyncio.wait([starting, told], return_when=asyncio.FIRST_COMPLETED)
    if starting.done() and (code := starting.result()):
        told.cancel()
        sockets.admin.close()
        return code
    admin = web.AppRunner(
        make_admin_of_all(Together(workers, socket_of, lambda: not stopping.is_set()), arguments.admin_token),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=1,
    )
    await admin.setup()
    try:
        await web.SockSite(admin, sockets.admin).start()
        if not stopping.is_set():
            say_where(sockets, workers.all[0].word)
            _LOG.info("process %d, %d workers", os.getpid(), arguments.workers)
        await told
        workers.let_end()
        _LOG.info("stopping: %d workers", len(workers.ready))
        if arguments.reuse_port:
            leave_port(*sockets.public, sockets.admin)
            await asyncio.sleep(SETTLE_S)
        # While anybody has the socket open the kernel queues connections for it, and here nobody would take them.
        for one in sockets.public:
            one.close()
        await workers.stop()
        await starting
        _LOG.info("stopped")
    finally:
        await admin.cleanup()
    return OK
