"""A call made for many elements: which requests there are, and the collection that their answers make. Pure.

`for_each` makes a request for each distinct element, a batch one for each chunk; both yield the same: a list in the
order in which the elements were first seen, addressable by key.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.engine.outcome import Done, Failed, Fanned, Outcome, Skipped
from proxy.errors import BadRequest, ExtractionFailed, MissingValue, TooManyItems
from proxy.expr.scope import MISSING, Scope
from proxy.merge.keys import Index, Keyed, are_keys, build_index, identity, key_of
from proxy.plan.nodes import CallPlan, FanPlan
from proxy.upstream.exchange import UpstreamRequest


@dataclass(slots=True)
class Part:
    """One request of a fan-out: its elements (one, or a chunk), the scope that binds them, and how it ended."""

    elements: tuple[Any, ...]
    scope: Scope
    request: UpstreamRequest | None = None
    outcome: Outcome | None = None
    fallback: Any = None

    @property
    def failure(self) -> Failed | None:
        return self.outcome if isinstance(self.outcome, Failed) else None


@dataclass(slots=True)
class Collection:
    """What a fan-out yields: the elements in order, and the same by key."""

    elements: list[Any] = field(default_factory=list)
    index: Index = field(default_factory=dict)


@dataclass(slots=True)
class FanOut:
    """A fan-out under way: what is asked for, in order, and the requests for it."""

    elements: list[Any] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


def parts_of(fan: FanPlan, scope: Scope, elements: list[Any]) -> list[Part]:
    """The requests to make for these elements."""
    size = fan.size or 1
    chunks = [tuple(elements[start : start + size]) for start in range(0, len(elements), size)]
    return [Part(chunk, bind(fan, scope, chunk)) for chunk in chunks]


def kept_part(fan: FanPlan, scope: Scope, element: Any, done: Done) -> Part:
    """What needs no request: an element of a batch that is known from before."""
    return Part((element,), bind(fan, scope, (element,)), outcome=done)


def bind(fan: FanPlan, scope: Scope, elements: tuple[Any, ...]) -> Scope:
    """The scope of one request: `each` is its element, or `batch` the list of its elements."""
    inner = scope.child()
    if fan.size is None:
        inner["each"] = elements[0]
    else:
        inner["batch"] = list(elements)
    return inner


def elements_of(fan: FanPlan, scope: Scope) -> list[Any]:
    """What to ask for. Raises `ExtractionFailed` or `TooManyItems` (`BadRequest` where the client chose them)."""
    found = fan.source(scope)
    if found is None:
        return []  # a call that was skipped: there is nothing to ask for
    if not isinstance(found, list):
        what = "finds nothing" if found is MISSING else "is not a list"
        raise (MissingValue if fan.client else ExtractionFailed)(f"{fan.source_text} {what}")
    if are_keys(found):
        elements = list(dict.fromkeys(found)) if fan.distinct else found
    else:
        elements = _distinct_elements(fan, found)
    if len(elements) > fan.max_items:
        detail = f"{fan.source_text} has {len(elements)} elements; at most {fan.max_items} are taken"
        raise BadRequest(detail) if fan.client else TooManyItems(detail)
    return elements


def _distinct_elements(fan: FanPlan, found: list[Any]) -> list[Any]:
    elements = [element for element in found if element is not None]
    if fan.size is not None and any(key_of(element) is None for element in elements):
        raise ExtractionFailed(f"{fan.source_text} holds a list or an object, which is no key to ask for")
    if fan.distinct:
        seen: dict[Hashable, Any] = {}
        for element in elements:
            seen.setdefault(identity(element), element)
        elements = list(seen.values())
    return elements


def judge_all(call: CallPlan, parts: Sequence[Part]) -> Outcome:
    """What the ends of its parts mean to a call. Without a fallback, more failures than are tolerated fail it."""
    assert call.fan is not None
    failures = [(element, failed) for part in parts if (failed := part.failure) for element in part.elements]
    if call.fallback is None and len(failures) > allowed(call, parts):
        return failures[0][1]
    return Fanned([part.outcome for part in parts if isinstance(part.outcome, Done)], failures)


def allowed(call: CallPlan, parts: Sequence[Part]) -> int:
    """How many elements may fail before the call does."""
    assert call.fan is not None
    return int(call.fan.tolerate * sum(len(part.elements) for part in parts))


def check_part(call: CallPlan, outcome: Outcome) -> Outcome:
    """The outcome of one request of a fan-out: where a list is needed, anything else is a failure."""
    assert call.fan is not None
    many = call.fan.size is not None or (call.keyed is not None and call.keyed.many)
    if many and isinstance(outcome, Done) and not isinstance(outcome.value, list | None):
        what = "a batch" if call.fan.size is not None else "many"
        return Failed(ExtractionFailed(f"the answer to {what} is not a list"), outcome.status)
    return outcome


def collect(call: CallPlan, fanned: FanOut) -> Collection:
    """The collection of a fan-out whose parts have all ended. Failed ones count with their fallback, or not at all."""
    assert call.fan is not None
    keyed = call.keyed or Keyed(None)
    if call.fan.size is None:
        return _collect_each(keyed, fanned.parts, call)
    return _collect_batches(keyed, fanned, call)


def value_of(part: Part, call: CallPlan) -> Any:
    """What a part contributes, or MISSING."""
    match part.outcome:
        case Done(value=value):
            return value
        case Skipped():
            return None
    return part.fallback if call.fallback is not None else MISSING


def _collect_each(keyed: Keyed, parts: list[Part], call: CallPlan) -> Collection:
    collection = Collection()
    for part in parts:
        value = value_of(part, call)
        if value is MISSING:
            continue
        if keyed.many:
            value = value if isinstance(value, list) else []
            collection.elements.extend(value)
            key = keyed.key(part.elements[0])
        else:
            collection.elements.append(value)
            key = _asked_key(keyed, part, value)
        if key is not None:
            collection.index.setdefault(key, value)
    return collection


def _asked_key(keyed: Keyed, part: Part, value: Any) -> Hashable:
    """The key in an element, or else the value that it was asked for by."""
    key = keyed.key_in(value)
    return keyed.key(part.elements[0]) if key is None else key


def _collect_batches(keyed: Keyed, fanned: FanOut, call: CallPlan) -> Collection:
    """Matched by key: gaps, extras, duplicates and any order of the answer are all the same."""
    parts = fanned.parts
    returned = [element for part in parts if isinstance(value := value_of(part, call), list) for element in value]
    index = build_index(returned, keyed)
    wanted = keyed.keys(fanned.elements)
    collection = Collection()
    for key in dict.fromkeys(wanted):
        if key in index:
            found = index[key]
            collection.index[key] = found
            if keyed.many:
                collection.elements.extend(found)
            else:
                collection.elements.append(found)
        elif keyed.many:
            collection.index[key] = []
    return collection
