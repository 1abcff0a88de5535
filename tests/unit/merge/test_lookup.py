from typing import Any

import pytest

from proxy.errors import MergeFailed
from proxy.expr.jsonpath import parse_path
from proxy.expr.lower import lower
from proxy.expr.scope import MISSING, Scope, Vocabulary
from proxy.merge.keys import Keyed, build_index
from proxy.merge.operators import OPERATORS
from proxy.merge.shape import Shaper
from proxy.problems import Place, Problem, Span

PRODUCTS = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 2, "name": "c"}]


def look_up(value: Any, *, many: bool = False, calls: dict[str, Any] | None = None) -> tuple[Any, Scope]:
    keyed = Keyed(lower(parse_path("$.id")), many)
    names = Vocabulary(calls=frozenset({"products", "order"}))
    found: list[Problem] = []
    shaper = Shaper(names, OPERATORS, collections={"products": keyed})
    shape = shaper.compile(value, Place(found, lambda path, at_key: Span("f", 1, 1)))
    assert found == []
    scope = Scope({"products": PRODUCTS, **(calls or {})})
    scope.indexes["products"] = build_index(PRODUCTS, keyed)
    return shape.evaluate(scope), scope


def test_an_element_is_found_by_key_and_narrowed() -> None:
    assert look_up({"$lookup": "products", "key": 2})[0] == {"id": 2, "name": "b"}
    assert look_up({"$lookup": "products", "key": 2, "get": "$.name"})[0] == "b"
    assert look_up({"$lookup": "products", "key": 2, "get": "name"})[0] == "b"


def test_of_many_all_are_found_and_none_is_an_empty_list() -> None:
    assert look_up({"$lookup": "products", "key": 2, "get": "$[*].name"}, many=True)[0] == ["b", "c"]
    assert look_up({"$lookup": "products", "key": 9}, many=True)[0] == []


def test_a_key_that_finds_nothing_gives_the_default_and_is_counted() -> None:
    value, scope = look_up({"$lookup": "products", "key": 9, "default": "none"})
    assert value == "none"
    assert scope.misses == ["products"]


def test_a_key_that_is_null_gives_the_default_and_is_no_miss() -> None:
    value, scope = look_up({"$lookup": "products", "key": "$.order.x"}, calls={"order": {"x": None}})
    assert value is None
    assert scope.misses == []


def test_a_narrowing_that_finds_nothing_gives_the_default() -> None:
    assert look_up({"$lookup": "products", "key": 1, "get": "$.price", "default": 0})[0] == 0


def test_a_default_may_be_an_expression() -> None:
    value, _ = look_up({"$lookup": "products", "key": 9, "default": "$.order.name"}, calls={"order": {"name": "n"}})
    assert value == "n"


def test_a_collection_that_is_not_there_gives_the_default() -> None:
    names = Vocabulary(calls=frozenset({"products"}))
    shaper = Shaper(names, OPERATORS, collections={"products": Keyed(None)})
    shape = shaper.compile({"$lookup": "products", "key": 1}, Place([], lambda path, at_key: Span("f", 1, 1)))
    scope = Scope({"products": None})
    assert shape.evaluate(scope) is None
    assert scope.misses == []


def test_a_join_changes_neither_side(merge: Any) -> None:
    left, right = [{"p": 1}], [{"id": 1}]
    assert merge("{$join: $.a, with: b, on: {p: id}, as: x}", a=left, b=right) == [{"p": 1, "x": {"id": 1}}]
    assert left == [{"p": 1}]


@pytest.mark.parametrize(
    "left,result", [(None, MISSING), (3, MISSING), ([], []), ([1, {"p": 9}], [1, {"p": 9, "x": None}])]
)
def test_a_left_side_may_be_anything(left: Any, result: Any, merge: Any) -> None:
    assert merge("{$join: $.a, with: b, on: {p: id}, as: x}", a=left, b=[]) == result


def test_a_right_side_that_is_not_there_is_empty(merge: Any) -> None:
    assert merge("{$join: $.a, with: b, on: {p: id}, as: x}", a=[{"p": 1}], b=None) == [{"p": 1, "x": None}]


def test_a_join_may_compare_as_text(merge: Any) -> None:
    text = "{$join: $.a, with: b, on: {p: id}, as: x, key_type: str}"
    assert merge(text, a=[{"p": "1"}], b=[{"id": 1}]) == [{"p": "1", "x": {"id": 1}}]


def test_a_join_may_insist(merge: Any) -> None:
    with pytest.raises(MergeFailed):
        merge("{$join: $.a, with: b, on: {p: id}, as: x, missing: fail}", a=[{"p": 1}], b=[])
