"""`python -m bench [composite|fan-out]`: this gateway beside the same by hand, in one run.

The peers are pinned to one core, upstreams and load generator to the other, and asked in turn for several rounds; the
table has medians. A wrong answer ends the run; calls to the upstream are counted beside every figure.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One thing to ask for, with the answer that counts as right."""

    name: str
    path: str
    expected: str
    connections: int


COMPOSITE = Case(
    "two calls, one answer",
    "/user-products/1",
    '{"user_id":1,"user_name":"Alice","email":"alice@example.com",'
    '"products":[{"id":1,"name":"Laptop"},{"id":2,"name":"Smartphone"}]}',
    64,
)


def order(how: str, lines: int) -> Case:
    """An order whose lines get their products' names, by a request for each or in batches of 50."""
    rows = [{"n": 1, "name": f"Product {number}"} for number in range(lines)]
    return Case(f"{lines} lines, {how}", f"/orders/{how}/{lines}", json.dumps({"id": 1, "lines": rows}), 4)


CASES = {
    "composite": [COMPOSITE],
    "fan-out": [order(how, lines) for lines in (1, 10, 100, 1000) for how in ("each", "batch")],
}


@dataclass
class Peer:
    """One contestant and what was measured of it."""

    name: str
    port: int
    pid: int
    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, env: dict[str, str], core: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on `port`, pinned to a core where the system can."""
    process = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    try:
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, {core})
        wait_for(port, process)
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        time.sleep(0.05)  # noqa: TID251 – a script; there is no event loop here
    raise SystemExit(f"{process.args!r} does not listen")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (Linux), 0 elsewhere."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def count(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_count") as response:
        return int(response.read())


def measure(peer: Peer, case: Case, upstream: int, seconds: float, core: int | None) -> None:
    calls, cpu = count(upstream), cpu_seconds(peer.pid)
    load = [str(peer.port), case.path, str(case.connections), str(seconds), case.expected]
    command = [sys.executable, "-m", "bench.load", *load]
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    result = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if result["wrong"]:
        raise SystemExit(f"{peer.name}: {result['wrong']} wrong answers")
    requests = result["requests"]
    peer.rates.append(requests / result["seconds"])
    peer.p50.append(result["p50_ms"])
    peer.p99.append(result["p99_ms"])
    peer.cpu_us.append((cpu_seconds(peer.pid) - cpu) / requests * 1e6)
    peer.calls.append((count(upstream) - calls) / requests)


def report(peers: list[Peer]) -> str:
    base = statistics.median(peers[0].rates)
    rows = [("peer", "requests/s", "ratio", "p50 ms", "p99 ms", "CPU µs/request", "calls/request", "memory MiB")]
    for peer in peers:
        median = statistics.median(peer.rates)
        rows.append(
            (
                peer.name,
                f"{median:.0f}",
                f"{median / base:.2f} ×",
                f"{statistics.median(peer.p50):.2f}",
                f"{statistics.median(peer.p99):.2f}",
                f"{statistics.median(peer.cpu_us):.0f}",
                f"{statistics.median(peer.calls):.2f}",
                f"{memory_mib(peer.pid):.0f}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("cases", nargs="?", choices=list(CASES), default="composite")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    peer_core, other_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    root = Path(__file__).parents[1]
    with ExitStack() as stack:
        upstream = free_port()
        stack.enter_context(
            running([sys.executable, "-m", "bench.upstream"], upstream, {"PORT": str(upstream)}, other_core)
        )
        url = f"http://127.0.0.1:{upstream}"
        env = {"USERS_URL": url, "PRODUCTS_URL": url}
        by_hand, ours, admin = free_port(), free_port(), free_port()
        hand_process = stack.enter_context(
            running(
                [sys.executable, "-m", "bench.peers.handwritten"], by_hand, {**env, "PORT": str(by_hand)}, peer_core
            )
        )
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        config = Path(folder) / "routes.yaml"
        ours_for = {"composite": root / "routes.yaml", "fan-out": root / "bench/fan-out.yaml"}
        config.write_text(ours_for[arguments.cases].read_text("utf-8"), "utf-8")
        serve = ["serve", "--config", str(config), "--port", str(ours), "--admin-port", str(admin)]
        our_process = stack.enter_context(running([sys.executable, "-m", "proxy", *serve], ours, env, peer_core))
        for case in CASES[arguments.cases]:
            peers = [
                Peer("by hand: aiohttp + ClientSession", by_hand, hand_process.pid),
                Peer("this gateway, access log on", ours, our_process.pid),
            ]
            for peer in peers:
                measure(Peer(peer.name, peer.port, peer.pid), case, upstream, 1.0, other_core)
            for _ in range(arguments.rounds):
                for peer in peers:
                    measure(peer, case, upstream, arguments.seconds, other_core)
            rounds = f"{arguments.rounds} rounds of {arguments.seconds:g} s"
            print(f"{case.name}: GET {case.path}, {case.connections} connections, {rounds}, medians")
            print(report(peers), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
