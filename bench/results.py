"""What was measured: for each case and contestant, a list of figures, one of each round."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Row:
    """One contestant in one case. `figures` has a list for each name, in the order of the rounds."""

    case: str
    title: str
    peer: str
    figures: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    def add(self, **figures: float) -> None:
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value)

    def median(self, name: str) -> float | None:
        values = self.figures.get(name)
        return statistics.median(values) if values else None


@dataclass
class Run:
    """Everything one run found. `left_out` says why something is not in the table."""

    about: dict[str, Any]  # when and where
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, line: str) -> None:
        if line not in self.left_out:
            self.left_out.append(line)

    def row(self, title: str, peer: str) -> Row | None:
        return next((row for row in self.rows if (row.title, row.peer) == (title, peer)), None)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def ratio(over: Row | None, under: Row | None, name: str) -> float | None:
    """How many times `under` goes into `over`: the median of the rounds' ratios, since rounds were interleaved."""
    if over is None or under is None:
        return None
    pairs = zip(over.figures.get(name, []), under.figures.get(name, []), strict=False)
    ratios = [first / second for first, second in pairs if second]
    return statistics.median(ratios) if ratios else None


def run_from_json(read: dict[str, Any]) -> Run:
    return Run(read["about"], [Row(**row) for row in read["rows"]], read["left_out"])
