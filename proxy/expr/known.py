"""What is known of a document before it is seen: from a sample of it or from its JSON Schema.

A path that cannot match a sample is a typo far more often than it is meant; with this, `check` can say so.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from proxy.expr.jsonpath import Index, Name, Slice, Step, Wildcard
from proxy.problems import Place, did_you_mean


class Known(Struct, frozen=True):
    """One place of a document. `keys`: what an object has there; `element`: what a list's elements are.

    None for either: it is not that. `anything`: nothing is known, and everything may be.
    """

    keys: Mapping[str, "Known"] | None = None
    element: "Known | None" = None
    anything: bool = False


ANYTHING = Known(anything=True)
SCALAR = Known()


class Mismatch(Struct, frozen=True):
    """A step that cannot match: `key` is not among `keys`, or is taken of what is no object (`keys` None)."""

    key: str
    keys: tuple[str, ...] | None

    @property
    def hint(self) -> str:
        if self.keys is None:
            return "it is not an object there"
        return did_you_mean(self.key, self.keys) or f"there is {', '.join(self.keys[:12]) or 'nothing'}"


def known_from_sample(value: Any) -> Known:
    """What a sample tells. A null may stand for anything; the elements of a list are taken together."""
    if value is None:
        return ANYTHING
    if isinstance(value, dict):
        return Known(keys={key: known_from_sample(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return Known(element=either(known_from_sample(inner) for inner in value))
    return SCALAR


def known_from_schema(schema: Any) -> Known:
    """What a JSON Schema tells: `properties` and `items`; whatever else it says leaves things open."""
    if not isinstance(schema, Mapping) or "$ref" in schema or any(key in schema for key in ("anyOf", "oneOf", "allOf")):
        return ANYTHING
    if isinstance(schema.get("properties"), Mapping) and not schema.get("additionalProperties", False):
        return Known(keys={str(key): known_from_schema(inner) for key, inner in schema["properties"].items()})
    if "items" in schema:
        return Known(element=known_from_schema(schema["items"]))
    return SCALAR if schema.get("type") in ("string", "number", "integer", "boolean") else ANYTHING


def either(several: Iterable[Known]) -> Known:
    """What holds if any of these is there."""
    found: Known | None = None
    for one in several:
        found = one if found is None else _join(found, one)
    return found or ANYTHING


def _join(one: Known, other: Known) -> Known:
    if one.anything or other.anything:
        return ANYTHING
    keys = None
    if one.keys is not None or other.keys is not None:
        mine, theirs = one.keys or {}, other.keys or {}
        keys = {
            key: either(known[key] for known in (mine, theirs) if key in known)
            for key in dict.fromkeys([*mine, *theirs])
        }
    element = one.element if other.element is None else other.element if one.element is None else None
    if one.element is not None and other.element is not None:
        element = _join(one.element, other.element)
    return Known(keys, element)


def follow(known: Known, steps: Iterable[Step]) -> Known | Mismatch:
    """What stands at the end of a path, or the first of its names that cannot match."""
    for step in steps:
        if known.anything:
            return ANYTHING
        match step:
            case Name(key):
                if known.keys is None or key not in known.keys:
                    return Mismatch(key, None if known.keys is None else tuple(known.keys))
                known = known.keys[key]
            case Index() | Slice():
                known = known.element or ANYTHING
            case Wildcard():
                known = known.element if known.element is not None else either((known.keys or {}).values())
            case _:
                return ANYTHING
    return known


def warn_of_mismatch(text: str, mismatch: Mismatch, place: Place) -> None:
    """Report a path that cannot match."""
    place.warning(
        "path-cannot-match", f"{text!r} cannot match: the sample has no {mismatch.key!r} there", mismatch.hint
    )
