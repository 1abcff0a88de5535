"""The same request to a gateway with one route and to one with many; and how long each took to start."""

from contextlib import ExitStack
from time import perf_counter

from bench.cases import GATEWAY, ROUTES, Case
from bench.kinds.closed import load, one_round
from bench.kinds.common import Bench, Contestant, check, rotated
from bench.peers.start import serve
from bench.process import memory_mib
from bench.results import Row

_ASKED = """version: 1
upstreams: {shop: "${env.UPSTREAM}"}
routes:
  - {name: hello, match: "GET /hello/{n:int}", reply: {body: {hello: $.params.n}}}
"""
# The others are composites like the seed's, so that loading them is real work.
_OTHER = """  - name: r%(n)d
    match: GET /r%(n)d/{user_id:int}
    calls:
      user: {get: "shop:/users/${params.user_id}"}
      products: {get: "shop:/products", query: {user_id: $.params.user_id}}
    merge:
      user_id: $.user.id
      user_name: $.user.name
      products: {$each: $.products, pick: [id, name]}
"""


def measure(case: Case, bench: Bench) -> None:
    found = []
    with ExitStack() as stack:
        for routes in (1, ROUTES):
            config = bench.place.folder / f"routes-{routes}.yaml"
            config.write_text(_ASKED + "".join(_OTHER % {"n": n} for n in range(routes - 1)), "utf-8")
            row = Row(case.name, f"{case.title}: {routes:,}", GATEWAY)
            bench.run.rows.append(row)
            started = perf_counter()
            peer = stack.enter_context(serve(config, bench.place))
            row.add(start_s=perf_counter() - started)  # to its first accepted connection
            contestant = Contestant(peer, row, memory_mib(peer.pid))
            check(case, contestant)
            load(case, contestant, bench, 1)
            found.append(contestant)
        for number in range(bench.rounds):
            for contestant in rotated(found, number):
                one_round(case, contestant, bench)
    for contestant in found:
        contestant.row.note = f"listens after {contestant.row.median('start_s'):.2f} s"
