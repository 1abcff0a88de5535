"""`$if`, `$cel` and `$literal`: a branch, a computed value, and a value that is not read."""

from collections.abc import Mapping
from typing import Any

from proxy.expr.scope import Scope
from proxy.merge.shape import NOTHING, Shape, Shaper, check_keys
from proxy.problems import Place


def compile_if(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$if: <CEL>, then: a, else: b}`; without `else`, null. Anything but true is false."""
    if not check_keys(value, ("$if", "then", "else"), place):
        return NOTHING
    if "then" not in value:
        place.problem("missing-key", "$if has no 'then'", "write {$if: condition, then: a, else: b}")
        return NOTHING
    condition = shaper.condition(value["$if"], place / "$if")
    then = shaper.compile(value["then"], place / "then")
    otherwise = shaper.compile(value.get("else"), place / "else")
    decide, if_true, if_false = condition.evaluate, then.evaluate, otherwise.evaluate

    def evaluate(scope: Scope) -> Any:
        return if_true(scope) if decide(scope) is True else if_false(scope)

    moves = (*condition.uses, *then.uses, *otherwise.uses)
    return Shape(
        evaluate,
        (*condition.reads, *then.reads, *otherwise.reads),
        moves=moves,
        itself=(*then.itself, *otherwise.itself),
    )


def compile_cel_operator(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$cel: <CEL>}`; what cannot be computed is null, and noted."""
    if not check_keys(value, ("$cel",), place):
        return NOTHING
    return shaper.condition(value["$cel"], place / "$cel")


def compile_literal(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$literal: anything}`: no operator or expression is read inside."""
    if not check_keys(value, ("$literal",), place):
        return NOTHING
    constant = value["$literal"]
    return Shape(lambda scope: constant, literal=True)
