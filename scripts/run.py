"""Runs the mock upstreams and the gateway side by side, for `make run`.

They live and die together: when either ends, or on Ctrl-C or SIGTERM, both are stopped.
"""

import os
import signal
import subprocess
import sys
import threading

GRACE_S = 15  # the gateway may finish what it began; after that it is killed


def main() -> int:
    mocks_args, gateway_args = split(sys.argv[1:])
    parent = os.getppid()
    wake = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: wake.set())

    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        running["the mock upstreams"] = mocks = start("mock_upstreams", *mocks_args, stdout=subprocess.PIPE)
        announce(mocks)
        running["the gateway"] = start("proxy", *gateway_args)
        while not wake.wait(0.2) and os.getppid() == parent:
            for name, process in running.items():
                if (code := process.poll()) is not None:
                    print(f"make run: {name} ended with {code}; stopping", file=sys.stderr)
                    return code if code > 0 else 1
        return 0
    finally:
        stop(list(running.values()))


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """`MOCKS… -- GATEWAY…`, so that the Makefile shows both command lines."""
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def start(module: str, *arguments: str, stdout: int | None = None) -> subprocess.Popen[bytes]:
    # A group of its own: Ctrl-C reaches this script alone, which then stops both in order and only once.
    return subprocess.Popen([sys.executable, "-m", module, *arguments], process_group=0, stdout=stdout)


def announce(mocks: subprocess.Popen[bytes]) -> None:
    """Repeat the lines in which the mock upstreams say that they listen: the gateway starts once both do."""
    assert mocks.stdout is not None
    for _ in range(2):
        sys.stdout.buffer.write(mocks.stdout.readline())
        sys.stdout.flush()


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """The gateway first, so that its last requests still find their upstreams."""
    for process in reversed(processes):
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
