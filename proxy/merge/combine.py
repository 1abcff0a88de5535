"""`$merge`: several objects become one; what is written further right wins.

Null and missing operands are passed over, so that an optional part may be absent. One that is neither an object
nor absent is passed over too, and noted.
"""

from collections.abc import Mapping
from typing import Any

from proxy.expr.scope import MISSING, Scope
from proxy.merge.shape import NOTHING, Shape, Shaper, check_keys
from proxy.problems import Place


def compile_merge(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$merge: [a, b, …]}`: shallow."""
    operands = value["$merge"]
    if not check_keys(value, ("$merge",), place):
        return NOTHING
    if not isinstance(operands, list):
        (place / "$merge").problem("wrong-type", "$merge takes a list of objects", "write {$merge: [$.a, $.b]}")
        return NOTHING
    shapes = [shaper.compile(operand, place / "$merge" / index) for index, operand in enumerate(operands)]
    evaluators = tuple(shape.evaluate for shape in shapes)

    def evaluate(scope: Scope) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for inner in evaluators:
            operand = inner(scope)
            if isinstance(operand, dict):
                merged.update(operand)
            elif operand is not None and operand is not MISSING:
                scope.faults.append("an operand of $merge is not an object")
        return merged

    return Shape(evaluate, tuple(reference for shape in shapes for reference in shape.reads))
