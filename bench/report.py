"""What a run found, as Markdown."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.cases import GATEWAY
from bench.peers.start import TITLES
from bench.results import Row, Run, ratio
from bench.targets import TARGETS

_BEGIN, _END = "<!-- bench: begin -->", "<!-- bench: end -->"
_COLUMNS = (
    ("requests/s", "rate", 0),
    ("p50 ms", "p50_ms", 2),
    ("p99 ms", "p99_ms", 2),
    ("calls/request", "calls", 2),
    ("CPU µs/request", "cpu_us", 0),
    ("core busy %", "busy_percent", 0),
    ("RSS MiB", "rss_mib", 0),
    ("above idle MiB", "above_idle_mib", 1),
)


def report(run: Run) -> str:
    return "\n".join([_about(run), "", _figures(run), "", _reached(run), "", *_left_out(run)])


def update(page: Path, text: str) -> None:
    """Put the text between the two markers of a page."""
    before, begin, rest = page.read_text("utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{page} does not have {_BEGIN} and {_END}")
    page.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", "utf-8")


def _about(run: Run) -> str:
    about = run.about
    return (
        f"{about['date']}; {about['machine']}; {about['rounds']} rounds of {about['seconds']} s, medians; "
        f"load by {about['load']}, upstreams by {about['upstreams']}; "
        f"from its slowest to its fastest round a contestant differed by {_spread(run):.0f} % (median)."
    )


def _spread(run: Run) -> float:
    """How noisy the machine was: what lies between the rounds of one contestant, in percent of their median."""
    rates = [row.figures["rate"] for row in run.rows if len(row.figures.get("rate", [])) > 1]
    spreads = [100 * (max(rounds) - min(rounds)) / statistics.median(rounds) for rounds in rates]
    return statistics.median(spreads) if spreads else 0.0


def _figures(run: Run) -> str:
    head = ["case", "peer", "requests/s", "this is", *(name for name, _, _ in _COLUMNS[1:]), "note"]
    rows, shown = [head], ""
    for row in run.rows:
        cells = [_number(row.median(key), digits) for _, key, digits in _COLUMNS]
        at_a_rate = "p999_ms" in row.figures  # where all get the same number of requests
        times = None if row.peer == GATEWAY or at_a_rate else ratio(run.row(row.title, GATEWAY), row, "rate")
        title = "" if row.title == shown else row.title
        shown = row.title
        rows.append([title, TITLES[row.peer], cells[0], _times(times), *cells[1:], _note(row)])
    return table(rows, left=(0, 1, len(head) - 1))


def _note(row: Row) -> str:
    instructions = row.median("instructions")
    counted = f"{instructions:,.0f} instructions/request" if instructions else ""
    return "; ".join(part for part in (row.note, counted) if part)


def _reached(run: Run) -> str:
    rows = [["target", "at", "bound", "reached", "met", "by CPU time"]]
    for target in TARGETS:
        value = target.reached(run)
        digits = 0 if target.unit == "MiB" else 2
        refused = target.refused(run)
        reached = f"{value:.{digits}f} {target.unit}" if value is not None else refused or "–"
        met = "no" if refused else "–" if value is None else "yes" if target.met(value) else "no"
        bound = f"{target.bound:g} {target.unit}"
        at = "most" if target.at_most else "least"
        rows.append([target.text, at, bound, reached, met, _times(target.by_cpu(run))])
    return table(rows, left=(0, 1, 4))


def _left_out(run: Run) -> Iterable[str]:
    return (f"Left out: {line}." for line in run.left_out)


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return ""
    if digits == 0 and value < 10:
        digits = 1
    return f"{value:,.{digits}f}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} ×"


def table(rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    """A Markdown table, its columns aligned for reading as text too."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = "|".join(
        "-" * (width + 2) if column in left else "-" * (width + 1) + ":" for column, width in enumerate(widths)
    )
    return "\n".join([line(rows[0]), f"|{rule}|", *(line(row) for row in rows[1:])])
