"""Steps of a path → one closure, with the meaning of RFC 9535.

A singular path gives the value or MISSING; a plural one always a list. A path over the scope starts with its
root's name. The short forms that make up nearly every configuration have closures of their own: a loop over
steps costs three times as much.
"""

from collections.abc import Callable, Iterable, Iterator
from operator import ge, gt, le, lt
from typing import Any

from proxy.expr.jsonpath import (
    Comparison,
    Descendants,
    Filter,
    Index,
    Name,
    Path,
    Slice,
    Step,
    Wildcard,
)
from proxy.expr.scope import MISSING

Select = Callable[[Any], Any]
Nodes = Iterator[Any]


def lower(path: Path) -> Select:
    """A closure from a document to what the path selects in it."""
    return lower_steps(path.steps)


def lower_steps(steps: tuple[Step, ...]) -> Select:
    singular: list[str | int] = []
    for step in steps:
        match step:
            case Name(key):
                singular.append(key)
            case Index(at):
                singular.append(at)
            case _:
                return _lower_plural(steps)
    return _lower_singular(tuple(singular))


def _lower_singular(keys: tuple[str | int, ...]) -> Select:
    match keys:
        case ():
            return lambda document: document
        case (str(key),):
            return lambda document: document.get(key, MISSING) if isinstance(document, dict) else MISSING
        case (str(first), str(second)):
            return _two_names(first, second)
    return _many_keys(keys)


def _two_names(first: str, second: str) -> Select:
    def select(document: Any) -> Any:
        if isinstance(document, dict):
            inner = document.get(first)
            if isinstance(inner, dict):
                return inner.get(second, MISSING)
        return MISSING

    return select


def _many_keys(keys: tuple[str | int, ...]) -> Select:
    def select(document: Any) -> Any:
        for key in keys:
            if isinstance(key, str):
                if not isinstance(document, dict) or key not in document:
                    return MISSING
            elif not isinstance(document, list) or not -len(document) <= key < len(document):
                return MISSING
            document = document[key]
        return document

    return select


def _lower_plural(steps: tuple[Step, ...]) -> Select:
    expand = tuple(_expander(step) for step in steps)

    def select(document: Any) -> list[Any]:
        nodes: Iterable[Any] = (document,)
        for one in expand:
            nodes = one(nodes)
        return list(nodes)

    return select


def _expander(step: Step) -> Callable[[Iterable[Any]], Nodes]:
    match step:
        case Name() | Index():
            return _expand_singular(lower_steps((step,)))
        case Wildcard():
            return _expand_children
        case Slice(start, stop, stride):
            return _expand_slice(slice(start, stop, stride))
        case Descendants():
            return _expand_descendants
        case Filter(conditions):
            return _expand_filter(tuple(_lower_condition(condition) for condition in conditions))


def _expand_singular(select: Select) -> Callable[[Iterable[Any]], Nodes]:
    def expand(nodes: Iterable[Any]) -> Nodes:
        return (value for node in nodes if (value := select(node)) is not MISSING)

    return expand


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, list):
        return node
    return node.values() if isinstance(node, dict) else ()


def _expand_children(nodes: Iterable[Any]) -> Nodes:
    for node in nodes:
        yield from _children(node)


def _expand_slice(cut: slice) -> Callable[[Iterable[Any]], Nodes]:
    # RFC 9535 §2.3.4.2.2: a step of 0 selects nothing; Python would raise.
    if cut.step == 0:
        return lambda nodes: iter(())

    def expand(nodes: Iterable[Any]) -> Nodes:
        for node in nodes:
            if isinstance(node, list):
                yield from node[cut]

    return expand


def _expand_descendants(nodes: Iterable[Any]) -> Nodes:
    # An explicit stack: a document may be nested deeper than Python may recurse.
    for node in nodes:
        waiting = [node]
        while waiting:
            here = waiting.pop()
            yield here
            waiting.extend(reversed(list(_children(here))))


def _expand_filter(holds: tuple[Callable[[Any], bool], ...]) -> Callable[[Iterable[Any]], Nodes]:
    def expand(nodes: Iterable[Any]) -> Nodes:
        for node in nodes:
            for element in _children(node):
                if all(condition(element) for condition in holds):
                    yield element

    return expand


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def _lower_condition(condition: Comparison) -> Callable[[Any], bool]:
    select, literal = lower_steps(condition.steps), condition.literal
    match condition.operator:
        case None:
            return lambda element: select(element) is not MISSING
        case "==":
            return lambda element: _equal(select(element), literal)
        case "!=":
            # RFC 9535 §2.3.5.2.2: nothing is different from every literal.
            return lambda element: not _equal(select(element), literal)
        case operator:
            compare = _COMPARE[operator]
            return lambda element: _ordered(value := select(element), literal) and compare(value, literal)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(left: Any, right: Any) -> bool:
    """Equality of JSON values: true is not 1."""
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


def _ordered(left: Any, right: Any) -> bool:
    """Whether `<` has a meaning: both numbers, or both strings."""
    return (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))
