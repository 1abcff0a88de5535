"""Processes on pinned cores: starting them, and what they use."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class NotStarted(Exception):
    """A process that was needed does not listen; the text has what it said."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pinned(command: list[str], core: int | None) -> list[str]:
    """The command on one core. By `taskset`, since all its threads must be there from the first."""
    if core is None or shutil.which("taskset") is None:
        return command
    return ["taskset", "-c", str(core), *command]


@contextmanager
def running(
    command: list[str], port: int, env: Mapping[str, str], core: int | None, patience_s: float = 20
) -> Iterator[int]:
    """A process that listens on `port`; gives its id. Its messages are shown only if it does not start."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            pinned(command, core), env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=said
        )
        try:
            if why := _wait_for(port, process, patience_s):
                said.seek(0)
                raise NotStarted(f"{' '.join(command)} {why}\n{said.read().decode(errors='replace')}")
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], patience_s: float) -> str | None:
    """What went wrong, or None."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return None
        if process.poll() is not None:
            return f"ended with {process.returncode}"
        time.sleep(0.01)  # noqa: TID251 – a script; there is no event loop here
    return "does not listen"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (Linux), 0 elsewhere."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int, what: str = "VmRSS") -> float:
    """Resident memory of a process (Linux), 0 elsewhere; `VmHWM` is its peak since `forget_peak`."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


def forget_peak(pid: int) -> None:
    """Let the peak of resident memory start anew from here."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return  # not Linux, or not allowed: the peak is then that of the process's whole life
