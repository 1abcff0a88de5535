"""What a request must look like: compiled schemas, and the values of texts by the types that one asks for. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Part = Literal["params", "query", "headers", "body"]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,100})?(?:[eE][+-]?[0-9]{1,3})?")

Types = Mapping[str, tuple[frozenset[str], frozenset[str]]]
"""Of each property: the types that it may have, and those of its items, where it may be a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaPlan:
    """One schema. `holds` is quick; `faults` says what does not, as (JSON Pointer, text), as many as asked for.

    `types` are of the values that come as text; `names` the headers that it speaks of.
    """

    holds: Callable[[Any], bool] = field(repr=False)
    faults: Callable[[Any, int], list[tuple[str, str]]] = field(repr=False)
    types: Types = field(default_factory=dict)
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatePlan:
    """The schemas of a route, by what they are of."""

    parts: Mapping[Part, SchemaPlan]


def value_of(texts: Sequence[str], types: tuple[frozenset[str], frozenset[str]] | None) -> Any:
    """The value that texts (those of a repeated name) stand for. What stands for none stays text, and fails by it."""
    if types is None:
        return texts[0] if len(texts) == 1 else list(texts)
    own, items = types
    if "array" in own:
        return [_scalar(text, items) for text in texts]
    return _scalar(texts[0], own) if len(texts) == 1 else list(texts)


def _scalar(text: str, types: frozenset[str]) -> Any:
    if "integer" in types and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text):
        return int(text) if _INTEGER.fullmatch(text) else float(text)
    if "boolean" in types and text in ("true", "false"):
        return text == "true"
    return text


def pointer(path: Sequence[str | int]) -> str:
    """A JSON Pointer as the fragment of a URI (RFC 6901 §6, but for percent-encoding, as RFC 9457 §3 shows it)."""
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
