"""`python -m bench [CASE ...]`: this gateway beside others, in one run; `python -m bench chart FILE` draws a run.

Contestants are pinned to one core, upstreams and load to another, and asked in turn for several rounds; the table has
medians. A wrong answer ends the run.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.cases import CASES, USUAL
from bench.chart import chart
from bench.report import report, update
from bench.results import run_from_json
from bench.run import run_cases

_CHART = Path(__file__).parents[1] / "docs/performance.svg"


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["chart"]:
        return _chart(arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all but fan-out if none")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures")
    parser.add_argument("--update", type=Path, metavar="PAGE", help="put the tables between the page's markers")
    parser.add_argument("--instructions", action="store_true", help="count instructions too (valgrind; slow)")
    given = parser.parse_args(arguments)
    if unknown := set(given.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    run, right = run_cases(given.cases or USUAL, given.rounds, given.seconds, instructions=given.instructions)
    text = report(run)
    print(text)
    if given.json:
        given.json.write_text(json.dumps(run.as_json(), indent=1), "utf-8")
    if given.update and right:
        update(given.update, text)
    return 0 if right else 1


def _chart(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench chart", description="Draw what --json wrote.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--to", type=Path, default=_CHART, metavar="SVG")
    given = parser.parse_args(arguments)
    given.to.write_text(chart(run_from_json(json.loads(given.file.read_text("utf-8")))), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
