"""Bodies → values, decoded no further than a `Need` asks for; what is only moved stays `Raw`, bytes of the body.

The decoders are generated. A body that is of another shape than the paths expect takes a longer way, by hand, to a
value that means the same. All of the body is checked to be JSON whatever is decoded of it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypedDict

import msgspec
from msgspec import UNSET, Raw, UnsetType, ValidationError

from proxy.document import ExactFloat, InvalidJson, decode_json, refuse_json
from proxy.expr.needs import Need

Decode = Callable[[bytes], Any]


@lru_cache(maxsize=4096)  # equal needs are common, and a decoder takes long to make
def decoder(need: Need) -> Decode:
    """A function from a body to its value. It raises `InvalidJson`."""
    if need.kind == "read":
        return decode_json
    kind = _type_of(need)
    typed = None if kind is None else msgspec.json.Decoder(kind, float_hook=ExactFloat)

    def decode(body: bytes) -> Any:
        if not body.isascii():
            _check_text(body)
        if typed is not None:
            try:
                return typed.decode(body)
            except ValidationError:
                pass  # it is of another shape than expected
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                refuse_json(error)
        return _by_hand(need, body)

    return decode


class Picked(msgspec.Struct):
    """An object that was narrowed while it was decoded. It is written with those of the keys that it had, in order."""


@lru_cache(maxsize=4096)
def _picked(keys: tuple[str, ...]) -> type[Picked]:
    names = [f"f{at}" for at in range(len(keys))]
    made: Any = msgspec.defstruct(
        "Picked",
        [(name, Raw | UnsetType, UNSET) for name in names],
        bases=(Picked,),
        rename=dict(zip(names, keys, strict=True)),
        gc=False,
    )
    kind: type[Picked] = made
    return kind


def _type_of(need: Need) -> Any:
    """What msgspec decodes a need as; None where it cannot."""
    match need.kind:
        case "move":
            return Raw
        case "read":
            return Any
        case "pick":
            return _picked(need.keys)
        case "list":
            assert need.element is not None
            element = _type_of(need.element)
            return None if element is None else list[element]  # type: ignore[valid-type]
        case "open":
            return None if need.children else dict[str, Raw]
    fields = {key: _type_of(child) for key, child in need.children}
    # Made by the function, since the keys are known only now.
    return None if None in fields.values() else TypedDict("Object", fields, total=False)  # type: ignore[operator]


_raw = msgspec.json.Decoder(Raw)
_raw_object = msgspec.json.Decoder(dict[str, Raw])
_raw_list = msgspec.json.Decoder(list[Raw])


def _by_hand(need: Need, data: bytes | Raw) -> Any:
    """The value by looking at what is there, as the generated decoder would give it if the shape were as expected."""
    try:
        return _value(need, data if isinstance(data, Raw) else _raw.decode(data))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        refuse_json(error)


def _value(need: Need, raw: Raw) -> Any:
    if need.kind == "move":
        return raw
    first = bytes(memoryview(raw)[:1])
    if first == b"{" and need.kind in ("object", "open", "pick"):
        found = _raw_object.decode(raw)
        children = dict(need.children) or dict.fromkeys(need.keys, Need("move"))
        kept = found if need.kind == "open" else {key: inner for key, inner in found.items() if key in children}
        return {key: _value(children[key], inner) if key in children else inner for key, inner in kept.items()}
    if need.kind == "list":
        assert need.element is not None
        if first == b"[":
            return [_value(need.element, inner) for inner in _raw_list.decode(raw)]
        if first == b"{":  # a wildcard takes the values of an object too
            return {key: _value(need.element, inner) for key, inner in _raw_object.decode(raw).items()}
    return decode_json(bytes(raw))


def _check_text(body: bytes) -> None:
    """What is not decoded is not checked to be UTF-8 otherwise (RFC 8259 §8.1)."""
    try:
        body.decode()
    except UnicodeDecodeError:
        raise InvalidJson("JSON is not valid UTF-8") from None
