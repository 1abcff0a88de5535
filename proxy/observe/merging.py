"""The metrics of several processes as one: Prometheus text in, Prometheus text out.

Counters and histograms are added up. So are gauges, but those that say how the configuration stands: of these the least
is taken, which is the worker that is furthest behind.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

_LEAST = {
    "proxy_config_generation",
    "proxy_config_last_reload_success_timestamp_seconds",
    "proxy_config_last_reload_successful",
}
_GROWING = {"counter", "histogram", "summary"}


@dataclass(slots=True)
class _Family:
    head: list[str] = field(default_factory=list)
    kind: str = "untyped"
    samples: dict[str, float] = field(default_factory=dict)


def merge_metrics(living: Iterable[str], gone: Iterable[str] = ()) -> str:
    """One text of many. Of processes that are gone only what they counted is taken, so that no counter goes back."""
    families: dict[str, _Family] = {}
    for text in living:
        _add(families, text, only_growing=False)
    for text in gone:
        _add(families, text, only_growing=True)
    lines: list[str] = []
    for family in families.values():
        lines += family.head
        lines += [f"{key} {value!r}" for key, value in family.samples.items()]
    return "\n".join(lines) + "\n" if lines else ""


def _add(families: dict[str, _Family], text: str, *, only_growing: bool) -> None:
    family, own_head = _Family(), False
    for line in text.splitlines():
        if line.startswith("#"):
            _, what, name, *rest = line.split(" ", 3)
            if what == "HELP" or name not in families:
                own_head = name not in families
                family = families.setdefault(name, _Family())
            if own_head:
                family.head.append(line)
            if what == "TYPE":
                family.kind = rest[0]
        elif line and (family.kind in _GROWING or not only_growing):
            key, _, value = line.rpartition(" ")
            _put(family, key, float(value))


def _put(family: _Family, key: str, value: float) -> None:
    seen = family.samples.get(key)
    if seen is None:
        family.samples[key] = value
    elif key in _LEAST:
        family.samples[key] = min(seen, value)
    else:
        family.samples[key] = seen + value
