"""JSONPath text → steps. The only importer of jsonpath-ng, which does the parsing.

Accepted is what can be lowered to closures with the meaning of RFC 9535: names, indices, slices, wildcards,
descendants, and filters that compare with literals. The rest of jsonpath-ng's language answers differently from
the RFC, or silently wrongly, and is refused with advice. A parse costs about 300 µs, so the everyday form
`$.a.b[0][*].c` is recognised first by one regular expression (a property test holds the two to each other).
"""

import re
import warnings
from functools import lru_cache
from typing import Any

from msgspec import Struct

from proxy.problems import Invalid


class Name(Struct, frozen=True):
    key: str


class Index(Struct, frozen=True):
    at: int


class Wildcard(Struct, frozen=True):
    """Every element of a list, every value of an object."""


class Slice(Struct, frozen=True):
    start: int | None
    stop: int | None
    step: int | None


class Descendants(Struct, frozen=True):
    """The node itself and everything below it, to which the next step applies (RFC 9535 §2.5.2)."""


class Comparison(Struct, frozen=True):
    """One condition of a filter: a singular path below the element, an operator, a literal; None: it exists."""

    steps: tuple["Step", ...]
    operator: str | None
    literal: Any


class Filter(Struct, frozen=True):
    """Keeps the elements for which every condition holds."""

    conditions: tuple[Comparison, ...]


Step = Name | Index | Wildcard | Slice | Descendants | Filter


class Path(Struct, frozen=True):
    """A parsed path. `plural` is decided by its text alone: only names and indices select one value."""

    text: str
    steps: tuple[Step, ...]
    plural: bool


# RFC 9535 §2.5.1.1 allows every character from U+0080 in a bare name; jsonpath-ng adds the hyphen (X-Request-Id).
_BARE = r"[A-Za-z_\u0080-\U0010ffff][0-9A-Za-z_\u0080-\U0010ffff-]*"
_STEP = re.compile(
    rf"\.(?P<name>{_BARE})|\[(?P<index>-?\d{{1,9}})\]|\[(?P<star>\*)\]"
    rf"|\[(?P<start>-?\d{{0,9}}):(?P<stop>-?\d{{0,9}})\]|\[(?P<quote>['\"])(?P<quoted>[^'\"\\\[\]]+)(?P=quote)\]"
)


@lru_cache(maxsize=65536)
def parse_path(text: str) -> Path:
    """Parse `$.a.b[0]`. Raises `Invalid` with advice for text that is wrong or would be answered wrongly."""
    steps = _everyday_steps(text)
    if steps is None:
        steps = parsed_steps(text)
    return Path(text, steps, not all(isinstance(step, Name | Index) for step in steps))


def _everyday_steps(text: str) -> tuple[Step, ...] | None:
    """The steps of a plain path, or None if the text needs the whole grammar."""
    if not text.startswith("$"):
        return None
    steps: list[Step] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            return None
        if (name := found["name"]) is not None:
            steps.append(Name(name))
        elif (index := found["index"]) is not None:
            steps.append(Index(int(index)))
        elif found["star"] is not None:
            steps.append(Wildcard())
        elif (quoted := found["quoted"]) is not None:
            steps.append(Name(quoted))
        else:
            start, stop = found["start"], found["stop"]
            steps.append(_slice(int(start) if start else None, int(stop) if stop else None, None))
        at = found.end()
    return tuple(steps)


def parsed_steps(text: str) -> tuple[Step, ...]:
    """The steps as jsonpath-ng reads them: the whole grammar, slowly. Raises `Invalid`."""
    if not text.startswith("$"):
        raise Invalid("bad-path", f"a path starts with '$.', not {text[:20]!r}", f"write $.{text.lstrip('.@')}")
    from jsonpath_ng.ext import parse as ng_parse  # noqa: PLC0415 – most files have none but everyday paths

    _refuse_lookalikes(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            tree = ng_parse(text)
    except DeprecationWarning:
        raise Invalid(
            "deprecated-path", f"{text!r} uses an operator that jsonpath-ng is giving up", _OPERATOR_ADVICE
        ) from None
    except Exception as error:  # jsonpath-ng raises bare Exception subclasses and errors of its parser
        raise Invalid("bad-path", f"{text!r} is not a JSONPath: {_first_line(error)}", _advice(text)) from None
    return tuple(_from_tree(tree, text))


_OPERATOR_ADVICE = "write two paths with ?? between them, or filter with $each and where:"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].strip() if str(error) else type(error).__name__


def _refuse_lookalikes(text: str) -> None:
    """Other languages' spellings of what this one says differently."""
    if "||" in text:
        raise Invalid("bad-path", f"{text!r} has an 'or' in a filter", "filter with $each and where: (CEL)")
    if "=~" in text:
        raise Invalid(
            "regex-filter",
            f"{text!r} filters by a regular expression, which can take exponential time",
            "filter with $each and where: item.name.matches('…') (CEL), which is linear",
        )


def _advice(text: str) -> str:
    if "\\" in text or text.count("'") % 2:
        return "a quote inside a name or text cannot be written; compute with {$cel: …}"
    return "paths look like $.user.items[0].name, $.items[*].id, $['odd name']"


def _from_tree(node: Any, text: str, top: bool = True) -> list[Step]:
    from jsonpath_ng import jsonpath as ng  # noqa: PLC0415
    from jsonpath_ng.ext import filter as ng_filter  # noqa: PLC0415

    match node:
        case ng.Root() if top:
            return []
        case ng.This():
            return []
        case ng.Wildcard():
            return [Wildcard()]
        case ng.Child():
            return _from_tree(node.left, text, top) + _from_tree(node.right, text, False)
        case ng.Descendants():
            return [*_from_tree(node.left, text, top), Descendants(), *_from_tree(node.right, text, False)]
        case ng_filter.Filter(expressions=expressions):
            return [Filter(tuple(_condition(expression, text) for expression in expressions))]
        case ng.Fields() | ng.Index() | ng.Slice():
            return [_selector(node, text)]
    raise Invalid(
        "unsupported-path",
        f"{text!r} uses {type(node).__name__.lower()}, which goes beyond selecting",
        "compute with {$cel: …}",
    )


def _selector(node: Any, text: str) -> Step:
    from jsonpath_ng import jsonpath as ng  # noqa: PLC0415

    match node:
        case ng.Fields(fields=(name,)):
            return Wildcard() if name == "*" else Name(name)
        case ng.Index(indices=(at,)):
            return Index(at)
        case ng.Slice(start=start, end=stop, step=step):
            return _slice(start, stop, step)
    raise Invalid("union-path", f"{text!r} selects several places at once", "write {$pick: [a, b], from: …}")


def _slice(start: int | None, stop: int | None, step: int | None) -> Step:
    return Wildcard() if start is stop is step is None else Slice(start, stop, step)


def _condition(expression: Any, text: str) -> Comparison:
    steps = tuple(_from_tree(expression.target, text, False))
    if any(not isinstance(step, Name | Index) for step in steps):
        raise Invalid("plural-filter", f"{text!r} compares many values at once", "filter with $each and where: (CEL)")
    if expression.op is None:
        return Comparison(steps, None, None)
    operator = "==" if expression.op == "=" else expression.op
    if not isinstance(expression.value, str | int | float | bool | None):
        raise Invalid(
            "filter-compares-paths",
            f"{text!r} compares with another path, which JSONPath here answers with nothing at all",
            "use $lookup or $join, or filter with $each and where: (CEL)",
        )
    if operator not in _OPERATORS:
        raise Invalid(
            "unsupported-path", f"{text!r} uses the operator {operator}", "filter with $each and where: (CEL)"
        )
    return Comparison(steps, operator, expression.value)


_OPERATORS = frozenset({"==", "!=", "<", "<=", ">", ">="})
