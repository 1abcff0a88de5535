"""The functions that CEL gets besides its own; each works as `f(x, …)` and as `x.f(…)`.

They raise ordinary Python exceptions for values they cannot take; `cel` turns any into `CelFailed`.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from proxy.document import scalar_text


def _distinct(items: list[Any]) -> list[Any]:
    seen: list[Any] = []
    known: set[tuple[type, Any]] = set()
    for item in items:
        if isinstance(item, list | dict):
            if item not in seen:
                seen.append(item)
        elif (key := (type(item), item)) not in known:
            known.add(key)
            seen.append(item)
    return seen


def _extreme(choose: Callable[[Any], Any]) -> Callable[..., Any]:
    def extreme(*values: Any) -> Any:
        items = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        return choose(items) if items else None

    return extreme


def _join(items: list[Any], separator: str = "") -> str:
    texts = [scalar_text(item) for item in items]
    if any(text is None for text in texts):
        raise TypeError("join takes a list of strings, numbers or booleans")
    return separator.join(text for text in texts if text is not None)


def _round(number: float, digits: int = 0) -> float | int:
    # Halves away from zero, as people do it; Python's own round goes to the even neighbour.
    scale = 10**digits
    scaled = abs(number) * scale
    whole = int(scaled + 0.5)
    signed = whole if number >= 0 else -whole
    return signed if digits <= 0 and scale == 1 else signed / scale


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "join": _join,
    "distinct": _distinct,
    "sort": sorted,
    "sum": sum,
    "min": _extreme(min),
    "max": _extreme(max),
    "first": lambda items: items[0] if items else None,
    "last": lambda items: items[-1] if items else None,
    "keys": lambda mapping: sorted(mapping),
    "values": lambda mapping: [mapping[key] for key in sorted(mapping)],
    "split": lambda text, separator: text.split(separator),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "replace": lambda text, old, new: text.replace(old, new),
    "round": _round,
    "urlencode": lambda text: quote(_join([text]), safe=""),
    "default": lambda value, otherwise: otherwise if value is None else value,
}
