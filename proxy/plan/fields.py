"""Header, query and form fields, statuses: the small parts that several actions compile alike."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from proxy.document import scalar_text
from proxy.errors import ExtractionFailed
from proxy.expr.expression import (
    Expression,
    compile_string,
    from_client,
    literal,
    only_client,
    or_missing,
    warn_of_samples,
)
from proxy.expr.scope import Reference, Scope, Vocabulary
from proxy.expr.urltemplate import encode_query_value, is_missing, unsafe
from proxy.merge.operators import OPERATORS
from proxy.merge.shape import Shaper, is_operator
from proxy.message import HOP_BY_HOP, is_field_value, is_token
from proxy.plan.field import Field
from proxy.plan.proxying import HeaderPlan
from proxy.problems import Invalid, Place

# Written by the server or the client below, from the message itself.
FRAMING = HOP_BY_HOP | {"content-length", "host", "expect"}
NO_FIELDS: tuple[tuple[Field, ...], list[Reference]] = ((), [])
_EMPTY = Scope({})


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
            expression = compile_string(value, names)
        except Invalid as error:
            place.invalid(error)
            return None
        warn_of_samples(expression.reads, names, place)
        return expression
    if value is None or isinstance(value, bool | int | float):
        return literal(scalar_text(value))
    if isinstance(value, Mapping) and any(is_operator(key) for key in value):
        shape = Shaper(names, OPERATORS, strict=True).compile(value, place)
        return Expression(" ".join(value), shape.evaluate, shape.reads)
    place.problem("wrong-type", "a field takes a string, a number, a boolean or a list of them")
    return None


def compile_query(
    values: Mapping[str, Any], names: Vocabulary, place: Place
) -> tuple[tuple[Field, ...], list[Reference]]:
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


def compile_headers(
    values: Mapping[str, Any], names: Vocabulary, place: Place
) -> tuple[tuple[Field, ...], list[Reference]]:
    """Header fields; names that frame a message are refused."""
    fields: list[Field] = []
    reads: list[Reference] = []
    for name, value in values.items():
        if not _check_header_name(name, place / name):
            continue
        if (expression := compile_field_value(value, names, place / name)) is None:
            continue
        if expression.plural:
            (place / name).problem(
                "plural-path", f"header {name!r} needs one value, not a list", "select one with an index"
            )
            continue
        if expression.constant and isinstance(text := expression.evaluate(_EMPTY), str) and not is_field_value(text):
            (place / name).problem("bad-header", f"header {name!r} holds a control character", "leave it out")
            continue
        fields.append(_field(name, expression))
        reads.extend(expression.reads)
    return tuple(fields), reads


def optional(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Fields of an answer: a text that cannot be made leaves its header out instead of failing the answer."""
    return tuple(replace(field, evaluate=or_missing(field.evaluate)) for field in fields)


def compile_header_changes(rules: Any, names: Vocabulary, place: Place) -> tuple[HeaderPlan, list[Reference]]:
    """`{set, add, remove}`"""
    replaced, set_reads = compile_headers(rules.set, names, place / "set")
    added, add_reads = compile_headers(rules.add, names, place / "add")
    for index, name in enumerate(rules.remove):
        _check_header_name(name, place / "remove" / index)
    removed = frozenset(name.lower() for name in rules.remove) | frozenset(field.name.lower() for field in replaced)
    return HeaderPlan(remove=removed, set=replaced, add=added), [*set_reads, *add_reads]


def encode_fields(fields: tuple[Field, ...], scope: Scope) -> str:
    """Fields as `a=1&b=2`: a list repeats its name, null and missing are left out."""
    pairs = []
    for field in fields:
        value = field.evaluate(scope)
        name = _quoted(field.name)
        for one in value if isinstance(value, list) else (value,):
            if type(one) is int:  # as most keys of a batch are
                pairs.append(f"{name}={one}")
            elif not is_missing(one):
                pairs.append(f"{name}={encode_query_value(one, client=field.client, text=field.text)}")
    return "&".join(pairs)


@lru_cache(maxsize=4096)
def _quoted(name: str) -> str:
    return quote(name, safe="")


def header_values(fields: tuple[Field, ...], scope: Scope) -> list[tuple[str, str]]:
    """Header fields as pairs; those that are null or missing are left out. Raises as `header_value`."""
    return [(field.name, text) for field in fields if (text := header_value(field, scope)) is not None]


def header_value(field: Field, scope: Scope) -> str | None:
    """The text of a header, None to leave it out. Raises for a value that would break the header."""
    value = field.evaluate(scope)
    if is_missing(value):
        return None
    text = scalar_text(value)
    if text is None:
        raise ExtractionFailed(f"{field.text} is not a string, a number or a boolean")
    if not is_field_value(text):
        raise unsafe(field.text, "holds a control character", field.client)
    if not text.isascii():
        try:
            # A header is bytes (RFC 9110 §5.5); aiohttp writes UTF-8.
            text.encode()
        except UnicodeEncodeError:
            raise unsafe(field.text, "holds half of a surrogate pair", field.client) from None
    return text.strip(" \t")


def _check_header_name(name: str, place: Place) -> bool:
    if not is_token(name):
        place.problem("bad-header", f"{name!r} is not a header name", "use letters, digits and -", at_key=True)
        return False
    if name.lower() in FRAMING:
        place.problem("bad-header", f"header {name!r} is written by the gateway itself", "leave it out", at_key=True)
        return False
    return True


def _field(name: str, expression: Expression) -> Field:
    reads = expression.reads
    identity = any(reference.root == "claims" for reference in reads)
    return Field(name, expression.evaluate, from_client(reads), only_client(reads), expression.text, identity)
