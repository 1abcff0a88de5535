"""Connections that were asked on once and then wait: the memory of each."""

import resource
import subprocess
import sys

from bench.cases import IDLE_CONNECTIONS, Case
from bench.kinds.closed import load
from bench.kinds.common import Bench, Contestant, WrongAnswer, check, contestants
from bench.process import memory_mib, pinned

_SPARE = 500  # files that a process has open besides the connections


def measure(case: Case, bench: Bench) -> None:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    connections = min(IDLE_CONNECTIONS, allowed - _SPARE)
    with contestants(case, bench) as found:
        for contestant in found:
            check(case, contestant)
            load(case, contestant, bench, 1)  # what the first requests load is not the connections'
            _one(case, contestant, bench, connections)


def _one(case: Case, contestant: Contestant, bench: Bench, connections: int) -> None:
    before = memory_mib(contestant.peer.pid)
    arguments = [str(contestant.peer.port), case.path, str(connections)]
    command = pinned([sys.executable, "-m", "bench.load.idle", *arguments], bench.place.other_core)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        held = int(process.stdout.readline() or 0)
        if held != connections:
            raise WrongAnswer(f"{case.title}: {contestant.peer.key} held {held} of {connections} connections")
        after = memory_mib(contestant.peer.pid)
        process.communicate()
    each_kib = (after - before) * 1024 / connections
    contestant.row.add(each_kib=each_kib, rss_mib=after, above_idle_mib=after - before)
    contestant.row.note = f"{each_kib:.1f} KiB each, of {connections:,}"
