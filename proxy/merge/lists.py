"""`$concat`, `$flatten` and `$group`: lists joined, unfolded and sorted into groups.

{$concat: [$.a, $.b]}            one list of several; null and missing ones are passed over
{$flatten: $.lists}              one level: [[1], [2, 3]] → [1, 2, 3]; what is not a list stays
{$group: $.list, by: $.path}     an object: the text of each element's value at the path → its elements, in order
"""

from collections.abc import Mapping
from typing import Any

from proxy.document import scalar_text
from proxy.expr.jsonpath import parse_path
from proxy.expr.lower import lower
from proxy.expr.scope import MISSING, Scope
from proxy.merge.shape import NOTHING, Shape, Shaper, check_keys
from proxy.problems import Invalid, Place


def compile_concat(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    operands = value["$concat"]
    if not check_keys(value, ("$concat",), place):
        return NOTHING
    if not isinstance(operands, list):
        (place / "$concat").problem("wrong-type", "$concat takes a list of lists", "write {$concat: [$.a, $.b]}")
        return NOTHING
    shapes = [shaper.compile(operand, place / "$concat" / index) for index, operand in enumerate(operands)]
    evaluators = tuple(shape.evaluate for shape in shapes)

    def evaluate(scope: Scope) -> list[Any]:
        joined: list[Any] = []
        for inner in evaluators:
            operand = inner(scope)
            if isinstance(operand, list):
                joined.extend(operand)
            elif operand is not None and operand is not MISSING:
                scope.faults.append("an operand of $concat is not a list")
        return joined

    return Shape(evaluate, tuple(reference for shape in shapes for reference in shape.reads))


def compile_flatten(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    if not check_keys(value, ("$flatten",), place):
        return NOTHING
    source = shaper.path(value["$flatten"], place / "$flatten", "the source of $flatten")
    lists = source.evaluate

    def evaluate(scope: Scope) -> Any:
        items = _list(lists(scope), "$flatten", scope)
        if items is None:
            return MISSING
        return [inner for item in items for inner in (item if isinstance(item, list) else (item,))]

    return Shape(evaluate, source.reads)


def compile_group(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    if not check_keys(value, ("$group", "by"), place):
        return NOTHING
    source = shaper.path(value["$group"], place / "$group", "the source of $group")
    by = value.get("by")
    try:
        if not isinstance(by, str):
            raise Invalid("missing-key", "$group needs 'by', a path inside each element", "write by: $.category")
        path = parse_path(by if by.startswith("$") else f"$.{by}")
        if path.plural:
            raise Invalid("plural-path", f"{by!r} selects a list where one value is needed")
    except Invalid as error:
        (place / "by" if "by" in value else place).invalid(error)
        return NOTHING
    select, items_of = lower(path), source.evaluate

    def evaluate(scope: Scope) -> Any:
        items = _list(items_of(scope), "$group", scope)
        if items is None:
            return MISSING
        groups: dict[str, list[Any]] = {}
        for item in items:
            name = scalar_text(select(item))
            if name is None:
                scope.faults.append(f"an element to group has no text at {by}")
            else:
                groups.setdefault(name, []).append(item)
        return groups

    return Shape(evaluate, source.reads)


def _list(value: Any, operator: str, scope: Scope) -> list[Any] | None:
    if isinstance(value, list):
        return value
    if value is not None and value is not MISSING:
        scope.faults.append(f"the source of {operator} is not a list")
    return None
