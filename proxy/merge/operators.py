"""Every operator by its name: the one list to add to."""

from collections.abc import Mapping
from types import MappingProxyType

from proxy.merge.combine import compile_merge, compile_merge_deep
from proxy.merge.decide import compile_cel_operator, compile_if, compile_literal
from proxy.merge.each import compile_each
from proxy.merge.lists import compile_concat, compile_flatten, compile_group
from proxy.merge.lookup import compile_join, compile_lookup
from proxy.merge.narrow import compile_drop_operator, compile_pick_operator
from proxy.merge.shape import Operator

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "$each": compile_each,
        "$pick": compile_pick_operator,
        "$drop": compile_drop_operator,
        "$lookup": compile_lookup,
        "$join": compile_join,
        "$merge": compile_merge,
        "$merge_deep": compile_merge_deep,
        "$concat": compile_concat,
        "$group": compile_group,
        "$flatten": compile_flatten,
        "$if": compile_if,
        "$cel": compile_cel_operator,
        "$literal": compile_literal,
    }
)
