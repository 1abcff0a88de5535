"""A run as a picture: for each case, a bar of requests per second for each contestant."""

from html import escape

from bench.cases import CASES, GATEWAY
from bench.peers.start import TITLES
from bench.results import Row, Run

_WIDTH, _LEFT, _RIGHT = 760, 232, 90
_BAR, _GAP, _HEAD = 16, 5, 34
# Read on white and on black alike; where the reader's system says that it is dark, text gets lighter still.
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a; }
.case { font-weight: 600; font-size: 13px; fill: #32383f; }
.ours { fill: #2f81f7; }
.other { fill: #9aa4af; }
@media (prefers-color-scheme: dark) { text { fill: #a9b3bd; } .case { fill: #dfe5ea; } .other { fill: #66707b; } }
"""


def chart(run: Run) -> str:
    """An SVG. A case with one contestant is not shown, since a bar alone says nothing; one that cannot do it is."""
    parts, top = [], 0
    for title in dict.fromkeys(row.title for row in run.rows if CASES[row.case][0].kind in ("closed", "stream")):
        rows = [row for row in run.rows if row.title == title]
        most = max(row.median("rate") or 0 for row in rows)
        if len(rows) < 2 or not most:
            continue
        parts.append(f'<text class="case" x="0" y="{top + 22}">{escape(title)}</text>')
        top += _HEAD
        for row in rows:
            parts.append(_bar(row, most, top))
            top += _BAR + _GAP
        top += 6
    about = run.about
    foot = f"requests per second, each case on its own scale; {about['date']}, {about['machine']}"
    parts.append(f'<text x="0" y="{top + 20}">{escape(foot)}</text>')
    height = top + 30
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" aria-label="Requests per second of each contestant in each case">'
    )
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _bar(row: Row, most: float, top: int) -> str:
    rate = row.median("rate") or 0
    length = round((_WIDTH - _LEFT - _RIGHT) * rate / most)
    middle = top + _BAR - 4
    kind = "ours" if row.peer == GATEWAY else "other"
    shown = row.note if "MiB/s" in row.note or not rate else f"{rate:,.0f}"
    return (
        f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(TITLES[row.peer])}</text>'
        f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{length}" height="{_BAR}" rx="2"/>'
        f'<text x="{_LEFT + length + 6}" y="{middle}">{escape(shown)}</text>'
    )
