"""`$merge` and `$merge_deep`: several objects become one.

    {$merge: [a, b, …], on_conflict: last | first | error}
    {$merge_deep: [a, b, …]}                     objects inside are merged too; anything else is replaced

What is written further right wins unless `on_conflict` says otherwise; a key keeps its first place. Null and missing
operands are passed over, so that an optional part may be absent. One that is neither an object nor absent is passed
over too, and noted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from proxy.errors import MergeFailed
from proxy.expr.scope import MISSING, Scope
from proxy.merge.shape import NOTHING, Shape, Shaper, check_keys
from proxy.problems import Place

Resolve = Callable[[str, Any, Any], Any]
"""Key, the value that is there, the one that comes → the one to keep."""


def compile_merge(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$merge: [a, b, …]}`: shallow."""
    return _compile(shaper, value, "$merge", place)


def compile_merge_deep(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$merge_deep: [a, b, …]}`: objects under the same key are merged, at every depth."""
    return _compile(shaper, value, "$merge_deep", place)


def _compile(shaper: Shaper, value: Mapping[str, Any], operator: str, place: Place) -> Shape:
    operands = value[operator]
    if not check_keys(value, (operator, "on_conflict"), place):
        return NOTHING
    if not isinstance(operands, list):
        (place / operator).problem(
            "wrong-type", f"{operator} takes a list of objects", f"write {{{operator}: [$.a, $.b]}}"
        )
        return NOTHING
    rule = value.get("on_conflict", "last")
    if rule not in _RESOLVE:
        (place / "on_conflict").problem("wrong-type", f"on_conflict is last, first or error, not {rule!r}")
        return NOTHING
    resolve = _deep(_RESOLVE[rule]) if operator == "$merge_deep" else _RESOLVE[rule]
    shapes = [shaper.compile(operand, place / operator / index) for index, operand in enumerate(operands)]
    evaluators = tuple(shape.evaluate for shape in shapes)

    def evaluate(scope: Scope) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for inner in evaluators:
            operand = inner(scope)
            if isinstance(operand, dict):
                merge_into(merged, operand, resolve)
            elif operand is not None and operand is not MISSING:
                scope.faults.append(f"an operand of {operator} is not an object")
        return merged

    reads = tuple(reference for shape in shapes for reference in shape.reads)
    if operator == "$merge_deep" or rule == "error":
        return Shape(evaluate, reads)  # values are looked into, or compared
    return Shape(evaluate, reads, moves=tuple(use for shape in shapes for use in shape.used_as("open")))


def merge_into(merged: dict[str, Any], operand: Mapping[str, Any], resolve: Resolve) -> None:
    """Add the operand's keys; `resolve` chooses where both have one."""
    for key, value in operand.items():
        merged[key] = resolve(key, merged[key], value) if key in merged else value


def _last(key: str, there: Any, comes: Any) -> Any:
    return comes


def _first(key: str, there: Any, comes: Any) -> Any:
    return there


def _error(key: str, there: Any, comes: Any) -> Any:
    if there != comes:
        raise MergeFailed(f"two parts to merge differ in {key!r}")
    return there


_RESOLVE: dict[str, Resolve] = {"last": _last, "first": _first, "error": _error}


def _deep(resolve: Resolve) -> Resolve:
    def deeper(key: str, there: Any, comes: Any) -> Any:
        if isinstance(there, dict) and isinstance(comes, dict):
            merged = dict(there)
            merge_into(merged, comes, deeper)
            return merged
        return resolve(key, there, comes)

    return deeper
