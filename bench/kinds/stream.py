"""One long answer: throughput, and memory while it passes."""

from bench.cases import Case
from bench.kinds.common import Bench, Contestant, Meter, ask, contestants
from bench.process import memory_mib
from bench.upstreams.data import GIB, MIB


def measure(case: Case, bench: Bench) -> None:
    with contestants(case, bench) as found:
        for contestant in found:
            ask("stream", bench, contestant.peer.port, "/files/1m")  # what a first request loads is not the stream's
            contestant.idle_mib = memory_mib(contestant.peer.pid)
        for _ in range(bench.rounds):
            found = [contestant for contestant in found if _one_round(case, contestant, bench)]


def _one_round(case: Case, contestant: Contestant, bench: Bench) -> bool:
    """Whether the contestant can do it at all."""
    meter = Meter(contestant, bench)
    result = ask("stream", bench, contestant.peer.port, case.path)
    if result["status"] != 200 or result["length"] != GIB:
        contestant.row.note = f"refused: {result['status']}"
        return False
    rate = 1 / result["seconds"]
    contestant.row.add(rate=rate, mib_s=GIB / MIB * rate, **meter.read(1))
    contestant.row.note = f"{contestant.row.median('mib_s'):,.0f} MiB/s"
    return True
