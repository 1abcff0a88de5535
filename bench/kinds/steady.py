"""A constant rate of requests with a slow upstream: what the contestant adds to the upstream's own time."""

from bench.cases import DIRECT, RATE, Case
from bench.kinds.common import Bench, Contestant, Meter, ask, check, contestants, get, rotated
from bench.process import memory_mib

_LONGER = 2  # rounds, than those of other cases: p99.9 needs many requests


def measure(case: Case, bench: Bench) -> None:
    with contestants(case, bench) as found:
        for contestant in found:
            if contestant.peer.key == DIRECT:
                contestant.body = get(contestant.peer.port, _path(case, contestant))[1]
            else:
                check(case, contestant)
            contestant.idle_mib = memory_mib(contestant.peer.pid)
            _load(case, contestant, bench, 1.0)
        for number in range(bench.rounds):
            for contestant in rotated(found, number):
                _one_round(case, contestant, bench)
        direct = next(contestant for contestant in found if contestant.peer.key == DIRECT)
        for contestant in found:
            _note(contestant, direct)


def _path(case: Case, contestant: Contestant) -> str:
    return "/slow?user_id=1" if contestant.peer.key == DIRECT else case.path


def _load(case: Case, contestant: Contestant, bench: Bench, seconds: float) -> dict[str, float]:
    seen = bench.place.folder / "seen"
    seen.write_bytes(contestant.body)
    path = _path(case, contestant)
    return ask("steady", bench, contestant.peer.port, path, case.connections, RATE, seconds, seen)


def _one_round(case: Case, contestant: Contestant, bench: Bench) -> None:
    meter = Meter(contestant, bench)
    result = _load(case, contestant, bench, bench.seconds * _LONGER)
    requests = int(result["requests"])
    figures = {name: result[name] for name in ("p50_ms", "p99_ms", "p999_ms")}
    contestant.row.add(rate=requests / result["seconds"], **figures, **meter.read(requests))


def _note(contestant: Contestant, direct: Contestant) -> None:
    """Only differences to the upstream asked directly mean anything: the generator has latency of its own."""
    if contestant is direct:
        contestant.row.note = f"p99.9 {direct.row.median('p999_ms'):.1f} ms"
        return
    added = {}
    for name in ("p50_ms", "p99_ms", "p999_ms"):
        mine, own = contestant.row.figures[name], direct.row.figures[name]
        for first, second in zip(mine, own, strict=True):
            contestant.row.add(**{f"added_{name}": first - second})
        added[name] = contestant.row.median(f"added_{name}")
    contestant.row.note = "added p50/p99/p99.9: " + " / ".join(f"{value:.1f}" for value in added.values()) + " ms"
