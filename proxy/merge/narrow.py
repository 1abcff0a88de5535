"""`$pick` and `$drop`: an object narrowed to some of its keys, and the same inside `$each`.

A list of names keeps what is there, in the order of the list; a mapping renames and computes. What is not an
object gives null.
"""

from collections.abc import Mapping
from typing import Any

from proxy.expr.decoding import Picked
from proxy.expr.jsonpath import Name
from proxy.expr.needs import Use
from proxy.expr.scope import MISSING, Evaluate, Scope
from proxy.merge.shape import NOTHING, Shape, Shaper, check_keys
from proxy.problems import Place


def compile_pick_operator(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$pick: [a, b], from: $.user}`"""
    source = _source(shaper, value, "$pick", place)
    keys = _names(value["$pick"], place / "$pick")
    if keys is None or source is None:
        return NOTHING
    itself = frozenset(source.itself)
    kept = [Use(use.root, (*use.steps, Name(key)), "move") for use in source.itself for key in keys]
    moves = (*kept, *(use for use in source.uses if use not in itself))
    # Its own result may be looked into again, so it is a plain object, other than that of `pick` in `$each`.
    return Shape(_picking(keys, source.evaluate), source.reads, moves=moves if kept else None)


def compile_drop_operator(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$drop: [a], from: $.user}`"""
    source = _source(shaper, value, "$drop", place)
    keys = _names(value["$drop"], place / "$drop")
    if keys is None or source is None:
        return NOTHING
    return Shape(_dropping(keys, source.evaluate), source.reads, moves=source.used_as("open"))


def compile_pick(shaper: Shaper, value: Any, element: Shape, place: Place) -> Shape:
    """The `pick` of `$each`: names to keep, or a mapping that renames."""
    if isinstance(value, Mapping):
        return shaper.compile(value, place)
    keys = _names(value, place)
    return NOTHING if keys is None else Shape(_picking(keys, element.evaluate), moves=element.used_as("pick", keys))


def compile_drop_keys(value: Any, element: Shape, place: Place) -> Shape:
    """The `drop` of `$each`: names to leave out."""
    keys = _names(value, place)
    return NOTHING if keys is None else Shape(_dropping(keys, element.evaluate), moves=element.used_as("open"))


def _source(shaper: Shaper, value: Mapping[str, Any], operator: str, place: Place) -> Shape | None:
    if not check_keys(value, (operator, "from"), place):
        return None
    if "from" not in value:
        place.problem("missing-key", f"{operator} has no 'from'", f"write {{{operator}: [a, b], from: $.user}}")
        return None
    return shaper.path(value["from"], place / "from", f"the 'from' of {operator}")


def _names(value: Any, place: Place) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        place.problem("wrong-type", "a list of names is needed here", "write [id, name]")
        return None
    return tuple(dict.fromkeys(value))


def _picking(keys: tuple[str, ...], source: Evaluate) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        value = source(scope)
        if isinstance(value, Picked):  # while it was decoded
            return value
        return {key: value[key] for key in keys if key in value} if isinstance(value, dict) else _absent(value, scope)

    return evaluate


def _dropping(keys: tuple[str, ...], source: Evaluate) -> Evaluate:
    dropped = frozenset(keys)

    def evaluate(scope: Scope) -> Any:
        value = source(scope)
        if not isinstance(value, dict):
            return _absent(value, scope)
        return {key: inner for key, inner in value.items() if key not in dropped}

    return evaluate


def _absent(value: Any, scope: Scope) -> Any:
    if value is not MISSING and value is not None:
        scope.faults.append("what is to be narrowed is not an object")
    return MISSING if value is MISSING else None
