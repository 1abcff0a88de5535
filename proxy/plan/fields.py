"""Header, query and form fields, statuses: the small parts that several actions compile alike."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from proxy.document import scalar_text
from proxy.expr.expression import Expression, compile_string, from_client, literal
from proxy.expr.scope import Reference, Scope, Vocabulary
from proxy.message import HOP_BY_HOP, is_token
from proxy.plan.nodes import Field, HeaderPlan
from proxy.problems import Invalid, Place

# Written by the server or the client below, from the message itself.
_EMPTY = Scope({})
FRAMING = HOP_BY_HOP | {"content-length", "host", "expect"}


@lru_cache(maxsize=256)
def statuses(patterns: tuple[str, ...]) -> frozenset[int]:
    """The status codes that patterns such as `404` and `5xx` stand for."""
    found: set[int] = set()
    for pattern in patterns:
        if pattern.endswith("xx"):
            found.update(range(int(pattern[0]) * 100, int(pattern[0]) * 100 + 100))
        else:
            found.add(int(pattern))
    return frozenset(found)


def compile_field_value(value: Any, names: Vocabulary, place: Place) -> Expression | None:
    """One value of a field: a scalar or an expression; None after reporting a problem."""
    if isinstance(value, str):
        try:
            return compile_string(value, names)
        except Invalid as error:
            place.invalid(error)
            return None
    if value is None or isinstance(value, bool | int | float):
        return literal(scalar_text(value))
    place.problem("wrong-type", "a field takes a string, a number, a boolean or a list of them")
    return None


def compile_query(values: Mapping[str, Any], names: Vocabulary, place: Place) -> tuple[tuple[Field, ...], list[Reference]]:
    """Fields of a query or form. A list in the file gives a field per element."""
    fields: list[Field] = []
    reads: list[Reference] = []
    for name, value in values.items():
        several = value if isinstance(value, list) else [value]
        for index, one in enumerate(several):
            inner = place / name / index if isinstance(value, list) else place / name
            if (expression := compile_field_value(one, names, inner)) is not None:
                fields.append(_field(name, expression))
                reads.extend(expression.reads)
    return tuple(fields), reads


def compile_headers(values: Mapping[str, Any], names: Vocabulary, place: Place) -> tuple[tuple[Field, ...], list[Reference]]:
    """Header fields; names that frame a message are refused."""
    fields: list[Field] = []
    reads: list[Reference] = []
    for name, value in values.items():
        if not _check_header_name(name, place / name):
            continue
        if (expression := compile_field_value(value, names, place / name)) is None:
            continue
        if expression.plural:
            (place / name).problem("plural-path", f"header {name!r} needs one value, not a list", "select one with an index")
            continue
        if expression.constant and isinstance(text := expression.evaluate(_EMPTY), str) and not is_field_value(text):
            (place / name).problem("bad-header", f"header {name!r} holds a control character", "leave it out")
            continue
        fields.append(_field(name, expression))
        reads.extend(expression.reads)
    return tuple(fields), reads


def compile_header_changes(rules: Any, names: Vocabulary, place: Place) -> tuple[HeaderPlan, list[Reference]]:
    """`{set, add, remove}`"""
    replaced, set_reads = compile_headers(rules.set, names, place / "set")
    added, add_reads = compile_headers(rules.add, names, place / "add")
    for index, name in enumerate(rules.remove):
        _check_header_name(name, place / "remove" / index)
    removed = frozenset(name.lower() for name in rules.remove) | frozenset(field.name.lower() for field in replaced)
    return HeaderPlan(remove=removed, set=replaced, add=added), [*set_reads, *add_reads]


def is_field_value(text: str) -> bool:
    """Whether text can stand in a header (RFC 9110 §5.5): no control characters but tab."""
    return all(char >= " " or char == "\t" for char in text) and "\x7f" not in text


def _check_header_name(name: str, place: Place) -> bool:
    if not is_token(name):
        place.problem("bad-header", f"{name!r} is not a header name", "use letters, digits and -", at_key=True)
        return False
    if name.lower() in FRAMING:
        place.problem("bad-header", f"header {name!r} is written by the gateway itself", "leave it out", at_key=True)
        return False
    return True


def _field(name: str, expression: Expression) -> Field:
    return Field(name, expression.evaluate, from_client(expression.reads), expression.text)


