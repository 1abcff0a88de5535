from typing import Any

import pytest

from proxy.expr.jsonpath import parse_path
from proxy.expr.needs import MOVE, READ, Mode, Need, Use, need_of, uses
from proxy.expr.scope import Reference


def use(text: str, mode: Mode = "move", *keys: str) -> Use:
    return Use("call", parse_path(text).steps, mode, keys)


@pytest.mark.parametrize(
    "found,need",
    [
        ([], MOVE),
        ([use("$")], MOVE),
        ([use("$", "read")], READ),
        ([use("$.a"), use("$.b", "read")], Need("object", (("a", MOVE), ("b", READ)))),
        ([use("$.a.b"), use("$.a.c")], Need("object", (("a", Need("object", (("b", MOVE), ("c", MOVE)))),))),
        ([use("$[*].a"), use("$[0].b")], Need("list", element=Need("object", (("a", MOVE), ("b", MOVE))))),
        ([use("$.a[1:3]")], Need("object", (("a", Need("list", element=MOVE)),))),
        ([use("$[*]", "pick", "a", "b")], Need("list", element=Need("pick", keys=("a", "b")))),
        ([use("$", "open")], Need("open")),
        ([use("$", "open"), use("$.a", "read")], Need("open", (("a", READ),))),
        ([use("$", "open"), use("$.a.b"), use("$.c")], Need("open", (("a", READ),))),
        # What is moved and looked into, or stands for two shapes, is decoded.
        ([use("$"), use("$.a")], READ),
        ([use("$.a"), use("$[0]")], READ),
        ([use("$[?(@.a == 1)].b")], READ),
        ([use("$..a")], READ),
        ([use("$.a"), use("$.b..c")], Need("object", (("a", MOVE), ("b", READ)))),
        # Two ways to narrow are no way to narrow while decoding.
        (
            [use("$[*]", "pick", "a"), use("$[*]", "pick", "b")],
            Need("list", element=Need("object", (("a", MOVE), ("b", MOVE)))),
        ),
        (
            [use("$[*]", "pick", "a"), use("$[*].b", "read")],
            Need("list", element=Need("object", (("b", READ), ("a", MOVE)))),
        ),
        ([use("$[*]", "pick", "a"), use("$[*]")], Need("list", element=READ)),
    ],
)
def test_uses_of_an_answer_make_a_need(found: list[Use], need: Need) -> None:
    def children(one: Need) -> Any:
        inner = sorted((key, children(child)) for key, child in one.children)
        return one.kind, inner, one.element and children(one.element), sorted(one.keys)

    assert children(need_of(found)) == children(need)


def test_a_reference_without_a_path_looks_into_everything() -> None:
    path, cel = Reference("a", "a", "$.a.b"), Reference("a", "a", "a.b")
    assert uses([path, cel], "move") == (Use("a", parse_path("$.b").steps, "move"), Use("a", (), "read"))


def test_a_use_of_elements_is_one_of_the_list_that_a_path_selects() -> None:
    inner = Use("item", parse_path("$.x").steps, "read")
    assert use("$.a").of_elements(inner) == Use("call", parse_path("$.a[*].x").steps, "read")
    assert use("$.a[*].b").of_elements(inner) == Use("call", parse_path("$.a[*].b.x").steps, "read")
