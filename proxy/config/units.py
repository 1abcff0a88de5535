"""Durations, sizes, rates and percentages as they are written: always with a unit."""

import re

from proxy.problems import Invalid

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*|%)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


def parse_duration(value: object) -> float:
    """`150ms`, `2s`, `5m`, `1h` → seconds, more than zero. Raises `Invalid`."""
    seconds = _quantity(value, _SECONDS, "bad-duration", "a duration", "write 150ms, 2s, 5m or 1h")
    if seconds <= 0:
        raise Invalid("bad-duration", f"{value!r} is no time at all", "write a duration above zero")
    return seconds


def parse_size(value: object) -> int:
    """`64KiB`, `2MiB` → bytes. Raises `Invalid`."""
    return int(_quantity(value, _BYTES, "bad-size", "a size", "write 64KiB, 2MiB or 512B"))


def parse_rate(value: object) -> tuple[int, float]:
    """`100/1m` → a count and seconds. Raises `Invalid`."""
    hint = "write 100/1m, 5/1s or 1000/1h"
    if not isinstance(value, str):
        raise Invalid("bad-rate", f"{repr(value)[:80]} is not a rate", hint)
    count, slash, time = value.partition("/")
    if not slash or not count.strip().isdecimal() or not 0 < int(count[:15]) < 10**9:
        raise Invalid("bad-rate", f"{value[:80]!r} is not a rate", hint)
    try:
        return int(count), parse_duration(time.strip() if time.strip()[:1].isdigit() else f"1{time.strip()}")
    except Invalid:
        raise Invalid("bad-rate", f"{value[:80]!r} is not a rate", hint) from None


def parse_share(value: object) -> float:
    """`20%` → 0.2, from 0 to 1. Raises `Invalid`."""
    share = _quantity(value, {"%": 0.01}, "bad-share", "a percentage", "write 20%")
    if share > 1:
        raise Invalid("bad-share", f"{value!r} is more than all", "write 100% or less")
    return share


def _quantity(value: object, units: dict[str, float] | dict[str, int], code: str, what: str, hint: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        unit = next(unit for unit in ("s", "B", "%") if unit in units)
        ordinary = 0 <= value < 1e15
        shown = repr(value)[:20] if ordinary else "this number"
        raise Invalid(code, f"{shown} has no unit", f"write {value}{unit}" if ordinary else hint)
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Invalid(code, f"{repr(value)[:80]} is not {what}", hint)
    number, unit = found.groups()
    if len(number) > 15:
        raise Invalid(code, f"{number[:15]}… is beyond any use as {what}", hint)
    if unit not in units:
        raise Invalid(
            code, f"{value!r} is not {what}: the unit {unit!r} is unknown" if unit else f"{value!r} has no unit", hint
        )
    return (float(number) if "." in number else int(number)) * units[unit]
