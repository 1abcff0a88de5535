"""One run: the upstreams, then case after case."""

import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.cases import CASES, Case
from bench.instructions import count_instructions
from bench.kinds import closed, idle, routes, steady, stream
from bench.kinds.common import Bench, WrongAnswer
from bench.peers.start import Place
from bench.process import NotStarted
from bench.results import Run
from bench.upstreams.start import upstreams

_KINDS: dict[str, Callable[[Case, Bench], None]] = {
    "closed": closed.measure,
    "stream": stream.measure,
    "steady": steady.measure,
    "idle": idle.measure,
    "routes": routes.measure,
}


def run_cases(names: Sequence[str], rounds: int, seconds: int, *, instructions: bool = False) -> tuple[Run, bool]:
    """What was found, and whether all answers were right. A wrong one ends the run; what was found stays."""
    with _bench(rounds, seconds) as bench:
        for case in [case for name in names for case in CASES[name]]:
            print(f"{case.name}: {case.title} …", file=sys.stderr, flush=True)
            try:
                _KINDS[case.kind](case, bench)
            except (WrongAnswer, NotStarted) as wrong:
                print(wrong, file=sys.stderr)
                return bench.run, False
        if instructions:
            count_instructions(bench)
        return bench.run, True


@contextmanager
def _bench(rounds: int, seconds: int) -> Iterator[Bench]:
    """The upstreams run, cores are chosen, and enough files may be open for every child."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    peer_core, other_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, upstreams(Path(name) / "up", other_core) as upstream:
        place = Place(Path(name), upstream, peer_core, other_core)
        about: dict[str, object] = {
            "date": datetime.now(UTC).date().isoformat(),  # noqa: TID251 – the day of a report; nothing decides by it
            "machine": f"{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "rounds": rounds,
            "seconds": seconds,
            "load": "wrk" if shutil.which("wrk") else "Python",
            "upstreams": "nginx + Lua" if upstream.by_nginx else "Python",
        }
        run = Run(about)
        run.leave_out("two workers: on two cores, the load and the upstreams have the second")
        yield Bench(place, run, rounds, seconds)
