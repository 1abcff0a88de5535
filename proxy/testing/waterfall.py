"""The calls of one request drawn over time, for a terminal."""

from collections.abc import Sequence

from proxy.message import CallRecord


def waterfall(calls: Sequence[CallRecord], width: int, *, block: str = "█", edge: str = "▏") -> list[str]:
    """A line for each call, in the order in which they began: its name, a bar over time, its milliseconds and status.

    `width` is that of the terminal in columns; `block` draws bars, `edge` those too short for one.
    """
    if not calls:
        return []
    ordered = sorted(calls, key=lambda call: call.started_ms)
    name_width = min(max(len(call.name) for call in ordered), 24)
    total = max(call.started_ms + call.ms for call in ordered) or 1.0
    room = max(width - name_width - 34, 10)
    lines = []
    for call in ordered:
        start = round(call.started_ms / total * room)
        length = round(call.ms / total * room)
        bar = block * length if length else edge
        lines.append(f"{call.name[:name_width]:<{name_width}}  {' ' * start + bar:<{room + 1}} {_ending(call)}")
    return lines


def _ending(call: CallRecord) -> str:
    status = str(call.status) if call.status else "–"
    text = f"{call.ms:9.1f} ms  {status}"
    if call.requests > 1:
        text += f" ×{call.requests}"
    return f"{text} {call.error}" if call.error else text
