"""Every operator by its name: the one list to add to."""

from collections.abc import Mapping
from types import MappingProxyType

from proxy.merge.combine import compile_merge
from proxy.merge.decide import compile_cel_operator, compile_if, compile_literal
from proxy.merge.each import compile_each
from proxy.merge.narrow import compile_drop_operator, compile_pick_operator
from proxy.merge.shape import Operator

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "$each": compile_each,
        "$pick": compile_pick_operator,
        "$drop": compile_drop_operator,
        "$merge": compile_merge,
        "$if": compile_if,
        "$cel": compile_cel_operator,
        "$literal": compile_literal,
    }
)
