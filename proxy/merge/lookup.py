"""`$lookup` and `$join`: elements of one collection beside those of another, in O(n + m).

    {$lookup: products, key: $.item.product_id, get: $.name, default: null}
    {$join: $.order.items, with: products, on: {product_id: id}, as: product, missing: null | drop | fail}

A key that finds nothing is counted: `"9"` against `9` is the usual mistake.
"""

from collections.abc import Mapping
from typing import Any

from proxy.errors import MergeFailed
from proxy.expr.jsonpath import parse_path
from proxy.expr.lower import Select, lower
from proxy.expr.scope import MISSING, Evaluate, Reference, Scope
from proxy.merge.keys import Keyed, build_index, find, key_of
from proxy.merge.shape import NOTHING, Shape, Shaper, check_keys
from proxy.problems import Invalid, Place, did_you_mean


def compile_lookup(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$lookup: call, key: …, get: $.path, default: …}`: the element of a call's collection with that key."""
    if not check_keys(value, ("$lookup", "key", "get", "default"), place):
        return NOTHING
    call = value["$lookup"]
    keyed = _collection(shaper, call, place / "$lookup")
    if "key" not in value:
        place.problem("missing-key", "$lookup has no 'key'", f"write {{$lookup: {call}, key: $.item.id}}")
    if keyed is None or "key" not in value:
        return NOTHING
    key = shaper.path(value["key"], place / "key", "the key of $lookup")
    get = _element_path(value["get"], place / "get") if "get" in value else None
    # Of many there may be none: that is an empty list and no surprise.
    default = shaper.compile(value.get("default", [] if keyed.many else None), place / "default")
    reads = (Reference(call, call, f"$lookup {call}"), *key.reads, *default.reads)
    return Shape(_looking_up(call, keyed, key.evaluate, get, default.evaluate), reads)


def _looking_up(call: str, keyed: Keyed, key: Evaluate, get: Select | None, default: Evaluate) -> Evaluate:
    as_text = keyed.as_text

    def evaluate(scope: Scope) -> Any:
        index = scope.indexes.get(call)
        wanted = key(scope)
        if type(wanted) is not str and (type(wanted) is not int or as_text):  # most are, and are their own keys
            wanted = keyed.key(wanted)
        found = find(index, wanted)
        if found is MISSING:
            if index is not None and wanted is not None:
                scope.misses.append(call)
            return default(scope)
        if get is None:
            return found
        inner = get(found)
        return default(scope) if inner is MISSING else inner

    return evaluate


def _collection(shaper: Shaper, call: Any, place: Place) -> Keyed | None:
    """The collection that a name means; None after reporting why it is none."""
    if not isinstance(call, str) or call not in shaper.names.calls:
        name = call.removeprefix("$.") if isinstance(call, str) else ""
        hint = did_you_mean(name, shaper.names.calls) or "write the name of a call, without $."
        place.problem("unknown-call", f"{call!r} is not a call of this route", hint)
        return None
    keyed = shaper.collections.get(call)
    if keyed is None:
        place.problem(
            "lookup-without-key",
            f"call {call!r} is not addressable: its elements have no key",
            f"write key: $.id in call {call!r}",
        )
    return keyed


def _element_path(text: Any, place: Place) -> Select | None:
    """A path inside an element: `$.name`, or just `name`."""
    if not isinstance(text, str):
        place.problem("bad-path", f"a path inside each element is needed here, not {text!r}", "write $.name")
        return None
    try:
        return lower(parse_path(text if text.startswith("$") else f"$.{text}"))
    except Invalid as error:
        place.invalid(error)
        return None


_JOIN_KEYS = ("$join", "with", "on", "as", "missing", "many", "key_type")


def compile_join(shaper: Shaper, value: Mapping[str, Any], place: Place) -> Shape:
    """`{$join: left, with: right, on: {left_field: right_field}, as: name}`: each left element with its right one."""
    if not check_keys(value, _JOIN_KEYS, place):
        return NOTHING
    missing_keys = [key for key in ("with", "on", "as") if key not in value]
    for key in missing_keys:
        place.problem(
            "missing-key",
            f"$join has no {key!r}",
            "write {$join: $.items, with: products, on: {product_id: id}, as: product}",
        )
    if missing_keys:
        return NOTHING
    left = shaper.path(value["$join"], place / "$join", "the left side of $join")
    right = _right_side(shaper, value["with"], place / "with")
    pair = _fields(value["on"], place / "on")
    options = _options(shaper, value, place)
    if right is None or pair is None or options is None:
        return NOTHING
    (left_key, right_key), (many, missing, as_text) = pair, options
    join = _Join(value["as"], left_key, Keyed(right_key, many, as_text), missing, str(value["with"]))
    left_evaluate, right_evaluate = left.evaluate, right.evaluate
    return Shape(lambda scope: join(scope, left_evaluate(scope), right_evaluate(scope)), (*left.reads, *right.reads))


class _Join:
    """One compiled join, as a function of both sides."""

    def __init__(self, name: str, left_key: Select, keyed: Keyed, missing: str | None, right: str) -> None:
        self._name = name
        self._left_key = left_key
        self._keyed = keyed
        self._missing = missing
        self._right = right

    def __call__(self, scope: Scope, left: Any, right: Any) -> Any:
        if not isinstance(left, list):
            if left is not MISSING and left is not None:
                scope.faults.append("the left side of $join is not a list")
            return MISSING
        if not isinstance(right, list):
            if right is not MISSING and right is not None:
                scope.faults.append("the right side of $join is not a list")
            right = []
        index = build_index(right, self._keyed)
        joined = []
        for element in left:
            found = find(index, key_of(self._left_key(element), as_text=self._keyed.as_text))
            if found is MISSING:
                if self._missing == "drop":
                    continue
                found = self._absent(scope)
            joined.append({**element, self._name: found} if isinstance(element, dict) else element)
        return joined

    def _absent(self, scope: Scope) -> Any:
        if self._missing == "fail":
            raise MergeFailed(f"an element to join has none in {self._right}")
        if self._keyed.many:
            return []
        scope.misses.append(self._right)
        return None


def _right_side(shaper: Shaper, right: Any, place: Place) -> Shape | None:
    """The right side: a call's name, or a path."""
    if isinstance(right, str) and not right.startswith("$"):
        if right not in shaper.names.calls:
            hint = did_you_mean(right, shaper.names.calls) or "write a call's name, or a path"
            place.problem("unknown-call", f"{right!r} is not a call of this route", hint)
            return None
        right = f"$.{right}"
    return shaper.compile(right, place)


def _fields(on: Any, place: Place) -> tuple[Select, Select] | None:
    if not isinstance(on, Mapping) or len(on) != 1:
        place.problem("wrong-type", "'on' has one field of the left and one of the right", "write {product_id: id}")
        return None
    ((left, right),) = on.items()
    paths = _element_path(left, place), _element_path(right, place / left)
    return None if paths[0] is None or paths[1] is None else (paths[0], paths[1])


def _options(shaper: Shaper, value: Mapping[str, Any], place: Place) -> tuple[bool, str | None, bool] | None:
    before = len(place.found)
    keyed = shaper.collections.get(value["with"]) if isinstance(value["with"], str) else None
    many = value.get("many", keyed.many if keyed is not None else False)
    key_type = value.get("key_type", "str" if keyed is not None and keyed.as_text else None)
    missing = value.get("missing")
    _check(isinstance(value["as"], str), place / "as", "'as' is the name that the right element gets")
    _check(isinstance(many, bool), place / "many", "'many' is true or false")
    _check(missing in (None, "null", "drop", "fail"), place / "missing", "'missing' is null, drop or fail")
    _check(key_type in (None, "str"), place / "key_type", "'key_type' is str, or left out for exact types")
    return None if len(place.found) > before else (many, None if missing == "null" else missing, key_type == "str")


def _check(holds: bool, place: Place, message: str) -> None:
    if not holds:
        place.problem("wrong-type", message)
