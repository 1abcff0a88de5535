"""Worker processes: started, watched, started again when one ends, and stopped together.

A worker is a command that is given one end of a socket pair. It says `ready` and a word on it once it serves; when its
own end closes, whoever started it is gone, and it stops by itself. What the workers serve by, such as a listening
socket, they inherit: this module does not know what it is.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from proxy.clock import monotonic

_LOG = logging.getLogger("proxy.workers")
_FIRST_S, _LONGEST_S = 0.5, 30.0
# A worker that lived so long had not failed at its start: the next failure is a first one.
_SOUND_S = 30.0

Command = Callable[[int, int], Sequence[str]]
"""Number of the worker, descriptor of its end of the socket pair → what to run."""


def pause_after(failures: int) -> float:
    """Seconds until a worker is started again that failed so many times in a row: 0.5, 1, 2 … 30."""
    return min(_FIRST_S * 2.0 ** (failures - 1), _LONGEST_S)


@dataclass(eq=False, slots=True)
class Worker:
    """One place for a process. `pid` is that of the last one, 0 before the first."""

    number: int
    pid: int = 0
    starts: int = 0
    failures: int = 0
    ready: bool = False
    word: str = ""
    process: asyncio.subprocess.Process | None = None
    began: asyncio.Event = field(default_factory=asyncio.Event)
    """It is ready, or has ended without having been so."""

    @property
    def restarts(self) -> int:
        return max(self.starts - 1, 0)


class Workers:
    """A number of workers. `start`, then `signal` and `stop`."""

    def __init__(
        self, count: int, command: Command, pass_fds: Sequence[int], pause: Callable[[int], float] = pause_after
    ) -> None:
        self._command = command
        self._pass_fds = tuple(pass_fds)
        self._pause = pause
        self._stopping = asyncio.Event()
        self._keeping: list[asyncio.Task[None]] = []
        self.all = [Worker(number) for number in range(count)]

    @property
    def ready(self) -> list[Worker]:
        """Those that serve."""
        return [worker for worker in self.all if worker.ready]

    async def start(self) -> int:
        """Start the first, and the rest once it serves. Returns 0, or the exit code of a first one that cannot."""
        loop = asyncio.get_running_loop()
        first, *others = self.all
        self._keeping.append(loop.create_task(self._keep(first), name="worker 0"))
        await first.began.wait()
        if not first.ready:
            if self._stopping.is_set():
                return 0
            self._stopping.set()
            process = first.process
            await asyncio.gather(*self._keeping)
            return process.returncode or 1 if process is not None else 1
        for worker in others:
            self._keeping.append(loop.create_task(self._keep(worker), name=f"worker {worker.number}"))
        for worker in others:
            await worker.began.wait()
        return 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every worker."""
        for worker in self.all:
            if worker.process is not None and worker.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.send_signal(number)

    def let_end(self) -> None:
        """From now on none is started again."""
        self._stopping.set()

    async def stop(self) -> None:
        """Ask every worker to stop, and wait until all have."""
        self._stopping.set()
        self.signal(signal.SIGTERM)
        await asyncio.gather(*self._keeping, return_exceptions=True)

    async def _keep(self, worker: Worker) -> None:
        """Run one process after the other."""
        while not self._stopping.is_set():
            began = monotonic()
            code = await self._run(worker)
            worker.began.set()
            if self._stopping.is_set():
                return
            worker.failures = 1 if monotonic() - began >= _SOUND_S else worker.failures + 1
            pause = self._pause(worker.failures)
            _LOG.error("worker %d (%d) ended with %d; again in %g s", worker.number, worker.pid, code, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()

    async def _run(self, worker: Worker) -> int:
        """One process from its start to its end; its exit code, negative for a signal."""
        ours, its = socket.socketpair()
        with its:
            command = self._command(worker.number, its.fileno())
            process = await asyncio.create_subprocess_exec(*command, pass_fds=(*self._pass_fds, its.fileno()))
        worker.process, worker.pid = process, process.pid
        worker.starts += 1
        if self._stopping.is_set():  # the signal to all came before there was this one
            process.terminate()
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            said = (await reader.readline()).decode("ascii", "replace").split()
            if said[:1] == ["ready"]:
                worker.ready, worker.word = True, " ".join(said[1:])
                _LOG.info("worker %d (%d) serves", worker.number, worker.pid)
                worker.began.set()
            return await process.wait()
        finally:
            worker.ready = False
            writer.close()


async def report_ready(channel: socket.socket, word: str) -> asyncio.StreamReader:
    """In a worker: say that it serves, and one word more. The stream ends when whoever started it does."""
    reader, writer = await asyncio.open_connection(sock=channel)
    writer.write(f"ready {word}\n".encode("ascii"))
    _KEPT.append(writer)
    return reader


_KEPT: list[asyncio.StreamWriter] = []
"""A stream's writer that is collected closes it."""


def python_command(*arguments: str) -> list[str]:
    """This program again, with other arguments."""
    return [sys.executable, "-m", "proxy", *arguments]
