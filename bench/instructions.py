"""Instructions of a request to the small composite, by valgrind: the one figure that noise does not touch.

The process runs twice, for few and for many requests; what the second takes more is that of the requests between.
"""

import http.client
import re
import shutil
import sys
from contextlib import AbstractContextManager

from bench.cases import BY_HAND, CASES, GATEWAY, Case
from bench.kinds.common import Bench, WrongAnswer
from bench.peers.start import Peer, gateway_config, handwritten, serve
from bench.results import Row

_FEW, _MANY = 100, 300
_PATIENCE_S = 300  # under valgrind everything takes fifty times as long


def count_instructions(bench: Bench) -> None:
    """Adds a row for this gateway and one for the composite by hand."""
    if shutil.which("valgrind") is None:
        bench.run.leave_out("instructions: valgrind is not installed")
        return
    case = CASES["small"][0]
    for key in (GATEWAY, BY_HAND):
        print(f"instructions of {key} …", file=sys.stderr, flush=True)
        row = bench.run.row(case.title, key)
        if row is None:
            row = Row(case.name, case.title, key)
            bench.run.rows.append(row)
        few, many = (_count(key, case, bench, requests) for requests in (_FEW, _MANY))
        row.add(instructions=(many - few) / (_MANY - _FEW))


def _count(key: str, case: Case, bench: Bench, requests: int) -> int:
    log = bench.place.folder / "valgrind"
    options = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", f"--log-file={log}"]
    with _start(key, case, bench, ("valgrind", *options)) as peer:
        connection = http.client.HTTPConnection("127.0.0.1", peer.port)
        for _ in range(requests):
            connection.request("GET", case.path)
            with connection.getresponse() as response:
                if response.status != 200 or not response.read():
                    raise WrongAnswer(f"{key} under valgrind")
    found = re.search(r"I +refs: +([\d,]+)", log.read_text())
    assert found is not None
    return int(found[1].replace(",", ""))


def _start(key: str, case: Case, bench: Bench, wrapper: tuple[str, ...]) -> AbstractContextManager[Peer]:
    if key == GATEWAY:
        return serve(gateway_config(case, bench.place), bench.place, wrapper, _PATIENCE_S)
    return handwritten(case, bench.place, wrapper, _PATIENCE_S)
