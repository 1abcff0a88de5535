"""`$each`: one result per element of a list, in the list's order.

    {$each: $.list, as: item, where: <CEL>, sort_by: $.price, limit: 10, value: shape | pick: […] | drop: […]}

Elements are kept by `where`, then sorted, then cut to `limit`, then shaped. A source that is not there gives
nothing (null); one that is not a list does too, and is noted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from proxy.expr.decoding import Picked
from proxy.expr.expression import warn_of_samples
from proxy.expr.jsonpath import Name, parse_path
from proxy.expr.lower import lower_steps
from proxy.expr.needs import Use
from proxy.expr.scope import MISSING, RESERVED_ROOTS, Evaluate, Reference, Scope
from proxy.merge.narrow import compile_drop_keys, compile_pick
from proxy.merge.shape import NOTHING, Shape, Shaper, check_keys, or_null
from proxy.problems import Invalid, Place

KEYS = ("$each", "as", "where", "sort_by", "limit", "value", "pick", "drop")


def compile_each(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    if not check_keys(value, KEYS, place):
        return NOTHING
    name = _loop_name(shaper, value, place)
    source = shaper.path(value["$each"], place / "$each", "the source of $each")
    inner = shaper.with_local(name, value["$each"])
    where = inner.condition(value["where"], place / "where") if "where" in value else None
    shape = _element_shape(inner, value, name, place)
    sort_key = _sort_key(inner, value, name, place)
    limit = _limit(value, place)
    reads = (*source.reads, *(where.reads if where else ()), *shape.reads)
    outer = tuple(reference for reference in reads if reference.root != name)
    looked = [where.uses] if where else []
    if sort_key is not None:
        looked.append((Use(name, (), "read"),))
    moves = _uses(source, name, (*shape.uses, *(use for several in looked for use in several)))
    loop = _loop(source.evaluate, name, where.evaluate if where else None, sort_key, limit, shape.evaluate)
    if isinstance(value.get("pick"), list) and where is None and sort_key is None:
        loop = _narrowing(source.evaluate, limit, loop)
    return Shape(loop, outer, moves=moves)


def _uses(source: Shape, name: str, inner: tuple[Use, ...]) -> tuple[Use, ...] | None:
    """How the list and what is around are used; None where the list is not simply one that a path selects."""
    if not source.itself or len(source.itself) != len(source.uses):
        return None
    of_element = tuple(use for use in inner if use.root == name) or (Use(name, (), "move"),)
    around = tuple(use for use in inner if use.root != name)
    return (*(outer.of_elements(use) for outer in source.itself for use in of_element), *around)


def _narrowing(source: Evaluate, limit: int | None, loop: Evaluate) -> Evaluate:
    """The loop, but for a list whose elements were narrowed while they were decoded: that is the answer already."""

    def evaluate(scope: Scope) -> Any:
        items = source(scope)
        if type(items) is list and items and isinstance(items[0], Picked):
            return items[:limit] if limit is not None else items
        return loop(scope)

    return evaluate


def _loop(
    source: Evaluate,
    name: str,
    where: Evaluate | None,
    sort_key: Callable[[Scope, Any], Any] | None,
    limit: int | None,
    shape: Evaluate,
) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        items = source(scope)
        if not isinstance(items, list):
            if items is not MISSING and items is not None:
                scope.faults.append("the source of $each is not a list")
            return MISSING
        inner = scope.child()

        def bound(item: Any) -> Scope:
            inner[name] = item
            return inner

        if where is not None:
            items = [item for item in items if where(bound(item)) is True]
        if sort_key is not None:
            items = sorted(items, key=lambda item: sort_key(bound(item), item))
        return [or_null(shape(bound(item))) for item in items[:limit]]

    return evaluate


def _loop_name(shaper: Shaper, value: Mapping[str, Any], place: Place) -> str:
    name = value.get("as", "item")
    if not isinstance(name, str) or not name.isidentifier():
        (place / "as").problem("bad-name", f"{name!r} is not a name", "use letters, digits and _")
        return "item"
    if name in RESERVED_ROOTS or name in shaper.names.calls or name in shaper.names.local:
        where = place / "as" if "as" in value else place / "$each"
        where.problem("name-taken", f"{name!r} already means something here", "write as: with another name")
    return name


def _element_shape(shaper: Shaper, value: Mapping[str, Any], name: str, place: Place) -> Shape:
    given = [key for key in ("value", "pick", "drop") if key in value]
    if len(given) > 1:
        (place / given[1]).problem("conflicting-keys", f"$each takes one of {' and '.join(given)}", at_key=True)
        return NOTHING
    element = shaper.compile(f"$.{name}", place)
    if "pick" in value:
        _check_names(shaper, value["pick"], name, place / "pick")
        return compile_pick(shaper, value["pick"], element, place / "pick")
    if "drop" in value:
        return compile_drop_keys(value["drop"], element, place / "drop")
    return shaper.compile(value["value"], place / "value") if "value" in value else element


def _check_names(shaper: Shaper, names: Any, loop: str, place: Place) -> None:
    """Names to keep are paths too, where something is known of the elements."""
    if isinstance(names, list):
        for index, name in enumerate(names):
            reads = [Reference(loop, None, f"$.{loop}['{name}']")] if isinstance(name, str) and "'" not in name else []
            warn_of_samples(reads, shaper.names, place / index)


def _limit(value: Mapping[str, Any], place: Place) -> int | None:
    limit = value.get("limit")
    if limit is not None and (type(limit) is not int or limit < 0):
        (place / "limit").problem("wrong-type", f"limit is a number of elements, not {limit!r}", "write limit: 10")
        return None
    return limit


def _sort_key(shaper: Shaper, value: Mapping[str, Any], name: str, place: Place) -> Callable[[Scope, Any], Any] | None:
    text = value.get("sort_by")
    if text is None:
        return None
    try:
        descending, path = (True, text[1:]) if isinstance(text, str) and text.startswith("-") else (False, text)
        steps = parse_path(path).steps if isinstance(path, str) else ()
        if not steps or not isinstance(path, str):
            raise Invalid("bad-path", f"sort_by is a path inside each element, not {text!r}", "write sort_by: $.price")
        if parse_path(path).plural:
            raise Invalid("plural-path", f"{path!r} selects a list where one value is needed")
    except Invalid as error:
        (place / "sort_by").invalid(error)
        return None
    # Inside the element; `$.item.price` with the loop's own name means the same.
    select = lower_steps(steps[1:] if steps[0] == Name(name) else steps)
    sign = -1 if descending else 1
    return lambda scope, item: sort_rank(select(item), sign)


class _Reversed(str):
    """A string that sorts backwards."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def sort_rank(value: Any, sign: int = 1) -> tuple[int, Any]:
    """A total order over JSON values: numbers, then text, then booleans; the rest last, as it came."""
    if isinstance(value, bool):
        return (2, value * sign)
    if isinstance(value, int | float):
        return (0, value * sign)
    if isinstance(value, str):
        return (1, value if sign > 0 else _Reversed(value))
    return (3, 0)
