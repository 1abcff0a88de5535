"""What differs between two JSON values, place by place, in words."""

from collections.abc import Iterator
from typing import Any

from proxy.document import encode_json

_MOST = 20


def differences(expected: Any, got: Any) -> list[str]:
    """A line for each place that differs; no lines: they are equal."""
    lines = list(_walk(expected, got, "$"))
    return lines if len(lines) <= _MOST else [*lines[:_MOST], f"… and {len(lines) - _MOST} more"]


def _walk(expected: Any, got: Any, path: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            if key in got:
                yield from _walk(value, got[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is missing; expected {_shown(value)}"
        for key, value in got.items():
            if key not in expected:
                yield f"{path}.{key} was not expected: {_shown(value)}"
    elif isinstance(expected, list) and isinstance(got, list):
        for index, (one, other) in enumerate(zip(expected, got, strict=False)):
            yield from _walk(one, other, f"{path}[{index}]")
        if len(expected) != len(got):
            yield f"{path} has {len(got)} elements; expected {len(expected)}"
    elif not _equal(expected, got):
        yield f"{path}: expected {_shown(expected)}, got {_shown(got)}"


def _equal(expected: Any, got: Any) -> bool:
    """True is not 1."""
    return bool(expected == got) and isinstance(expected, bool) == isinstance(got, bool)


def _shown(value: Any) -> str:
    text = encode_json(value).decode()
    return text if len(text) <= 200 else text[:200] + "…"
