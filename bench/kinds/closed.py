"""A closed loop, by wrk where it is installed."""

import shutil
from pathlib import Path
from typing import Any

from bench.cases import Case
from bench.kinds.common import Bench, Contestant, Meter, WrongAnswer, ask, check, contestants, rotated, run_load
from bench.process import memory_mib

_SCRIPT = Path(__file__).parents[1] / "load/wrk.lua"
_WARM_UP_S = 1


def measure(case: Case, bench: Bench) -> None:
    """Every contestant in turn, for several rounds."""
    with contestants(case, bench) as found:
        for contestant in found:
            check(case, contestant)
            contestant.idle_mib = memory_mib(contestant.peer.pid)
            load(case, contestant, bench, _WARM_UP_S)
        for number in range(bench.rounds):
            for contestant in rotated(found, number):
                one_round(case, contestant, bench)
        for contestant in found:
            check(case, contestant)


def one_round(case: Case, contestant: Contestant, bench: Bench) -> None:
    meter = Meter(contestant, bench)
    result = load(case, contestant, bench, bench.seconds)
    requests = result["requests"]
    contestant.row.add(
        rate=requests / result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        **meter.read(requests),
    )


def load(case: Case, contestant: Contestant, bench: Bench, seconds: int) -> dict[str, Any]:
    """The answers' sizes are looked at too: wrk counts what is not an error status as right."""
    port = contestant.peer.port
    if case.counted or shutil.which("wrk") is None:
        seen = bench.place.folder / "seen"
        seen.write_bytes(contestant.body)
        return ask("closed", bench, port, case.path, case.connections, seconds, seen)
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "--timeout", "30s"]
    result = run_load([*command, "-s", str(_SCRIPT), f"http://127.0.0.1:{port}{case.path}"], bench)
    if result["requests"] == 0 or result["bytes"] < result["requests"] * len(contestant.body):
        raise WrongAnswer(f"{case.title}: {contestant.peer.key} sent answers that are too short")
    return result
