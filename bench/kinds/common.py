"""What all ways to measure share: contestants for a case, checked answers, programs on the other core."""

import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench.cases import GATEWAY, Case
from bench.peers.start import TITLES, LeftOut, Peer, Place, start
from bench.process import cpu_seconds, forget_peak, memory_mib, pinned
from bench.results import Row, Run


@dataclass(frozen=True)
class Bench:
    """The run: where, how often, how long, and what was found up to now."""

    place: Place
    run: Run
    rounds: int
    seconds: int


class WrongAnswer(Exception):
    """A figure for a wrong answer would be worth nothing, so the run ends."""


@dataclass
class Contestant:
    """A running peer, the row of its figures, and what it was seen to answer."""

    peer: Peer
    row: Row
    idle_mib: float = 0.0
    body: bytes = b""


@contextmanager
def contestants(case: Case, bench: Bench) -> Iterator[list[Contestant]]:
    """Those of the case's peers that can take part. What cannot is noted."""
    with ExitStack() as stack:
        found = []
        for key in case.peers:
            row = Row(case.name, case.title, key)
            try:
                peer = stack.enter_context(start(key, case, bench.place))
            except LeftOut as why:
                if key == GATEWAY:
                    row.note = str(why)
                    bench.run.rows.append(row)
                else:
                    bench.run.leave_out(f"{TITLES[key]}: {why}")
                continue
            bench.run.rows.append(row)
            found.append(Contestant(peer, row))
        yield found


def rotated(found: list[Contestant], by: int) -> list[Contestant]:
    """Each round begins with another contestant, so that none always comes after the same one."""
    by %= max(1, len(found))
    return found[by:] + found[:by]


def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of one request; status 0 and the reason if there was no answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=15) as response:
            return int(response.status), response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error).encode()


def check(case: Case, contestant: Contestant) -> None:
    """One request whose answer must be right. Raises WrongAnswer."""
    status, body = get(contestant.peer.port, case.path)
    if isinstance(case.expected, bytes):
        right = body == case.expected
    else:
        right = status == 200 and json.loads(body) == case.expected
    if status != 200 or not right:
        shown = body[:300].decode(errors="replace")
        raise WrongAnswer(f"{case.title}: {TITLES[contestant.peer.key]} answered {status} {shown}")
    contestant.body = body


def ask(module: str, bench: Bench, *arguments: object) -> dict[str, Any]:
    """Run one of bench.load on the other core; what it printed last."""
    return run_load([sys.executable, "-m", f"bench.load.{module}", *map(str, arguments)], bench)


def run_load(command: list[str], bench: Bench) -> dict[str, Any]:
    command = pinned(command, bench.place.other_core)
    ended = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, timeout=600)
    if ended.returncode:
        raise WrongAnswer(f"ended with {ended.returncode}: {' '.join(command)}")
    result: dict[str, Any] = json.loads(ended.stdout.strip().rpartition("\n")[2])
    if result.get("wrong"):
        raise WrongAnswer(f"{result['wrong']} wrong or missing answers of {result['requests']}: {' '.join(command)}")
    return result


class Meter:
    """CPU time and upstream calls between two moments, and the peak of memory."""

    def __init__(self, contestant: Contestant, bench: Bench) -> None:
        self._contestant = contestant
        self._upstream = bench.place.upstream
        forget_peak(contestant.peer.pid)
        self._cpu = cpu_seconds(contestant.peer.pid)
        self._calls = self._upstream.count()
        self._started = perf_counter()

    def read(self, requests: int) -> dict[str, float]:
        """Figures of the time since this was made. A contestant that is none of ours has calls only."""
        pid = self._contestant.peer.pid
        cpu, seconds = cpu_seconds(pid) - self._cpu, perf_counter() - self._started
        calls = (self._upstream.count() - self._calls) / requests
        if not pid:
            return {"calls": calls}
        return {
            "calls": calls,
            "cpu_us": cpu / requests * 1e6,
            "busy_percent": 100 * cpu / seconds,
            "rss_mib": memory_mib(pid),
            "above_idle_mib": max(0.0, memory_mib(pid, "VmHWM") - self._contestant.idle_mib),
        }
