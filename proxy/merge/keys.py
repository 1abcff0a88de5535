"""Keys of collections: how `$lookup`, `$join` and batches tell elements apart.

Keys compare by exact JSON type, so that `"9"` is not `9`, unless the collection's `key_type` is `str`: then every
scalar is compared as its text. Null, lists and objects are no keys.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from msgspec import Struct

from proxy.document import encode_json, scalar_text
from proxy.expr.lower import Select
from proxy.expr.scope import MISSING

Index = dict[Hashable, Any]
"""Key → the element, or the list of all elements with that key where there may be many."""


class Keyed(Struct, frozen=True):
    """How a call's collection is addressed. `select` finds the key in an element; None: the key it was asked for by."""

    select: Select | None
    many: bool = False
    as_text: bool = False

    def key(self, value: Any) -> Hashable:
        """The key that a value means; None if it is none."""
        return key_of(value, as_text=self.as_text)

    def keys(self, values: list[Any]) -> list[Hashable]:
        """The keys that values mean, None for those that are none."""
        if are_keys(values) and not self.as_text:
            return values
        return [key_of(value, as_text=self.as_text) for value in values]

    def key_in(self, element: Any) -> Hashable:
        """The key of an element of the collection; None if it has none."""
        return None if self.select is None else self.key(self.select(element))


_KEYS = frozenset({str, int})


def are_keys(values: Iterable[Any]) -> bool:
    """Whether all are strings and integers, as nearly all keys are: then they need no more looking at."""
    return _KEYS.issuperset(map(type, values))


def key_of(value: Any, *, as_text: bool = False) -> Hashable:
    """A scalar as a key; None for anything else. True is not 1."""
    if type(value) is str:
        return value
    if as_text:
        return scalar_text(value)
    if isinstance(value, bool):
        return ("bool", value)
    return value if isinstance(value, int | float) else None


def identity(value: Any) -> Hashable:
    """What two equal JSON values have in common, for telling distinct ones apart; also lists and objects."""
    key = key_of(value)
    return ("json", encode_json(value)) if key is None else key


def build_index(elements: Iterable[Any], keyed: Keyed) -> Index:
    """The elements by their keys, in O(n). Of several with one key the first counts, or all if there may be many."""
    index: Index = {}
    select = keyed.select
    if select is None:
        return index
    elements = list(elements)
    for key, element in zip(keyed.keys([select(element) for element in elements]), elements, strict=True):
        if key is None:
            continue
        if keyed.many:
            index.setdefault(key, []).append(element)
        else:
            index.setdefault(key, element)
    return index


def find(index: Index | None, key: Hashable) -> Any:
    """What stands under a key, or MISSING."""
    return MISSING if index is None or key is None else index.get(key, MISSING)
