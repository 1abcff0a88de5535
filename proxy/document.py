"""JSON documents: bytes to values and back, without losing a number.

Integers are Python integers, of up to 4300 digits. A float keeps the text it was written with, so that `1.10` and
`1e999` leave as they came. Key order is kept; of duplicate keys the last wins (RFC 8259 §4 leaves that open).
"""

from typing import Any, NoReturn

import msgspec


class InvalidJson(ValueError):
    """Bytes that are not one JSON document (RFC 8259), or one nested too deeply to read."""


class ExactFloat(float):
    """A float that remembers its text. It computes and compares as any float."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "ExactFloat":
        number = super().__new__(cls, text)
        number.text = text
        return number


def _encode_other(value: object) -> msgspec.Raw:
    if type(value) is ExactFloat:
        return msgspec.Raw(value.text.encode("ascii"))
    raise TypeError(f"{type(value).__name__} is not a JSON value")


_decoder = msgspec.json.Decoder(float_hook=ExactFloat)
_encoder = msgspec.json.Encoder(enc_hook=_encode_other)


def decode_json(data: bytes) -> Any:
    """The value of a JSON document. Raises `InvalidJson` for anything else, without quoting the data."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        refuse_json(error)


def refuse_json(error: Exception) -> NoReturn:
    """Raise `InvalidJson` for what msgspec raises, without quoting the data."""
    if isinstance(error, RecursionError):
        raise InvalidJson("JSON is nested too deeply") from None
    if isinstance(error, UnicodeDecodeError):
        raise InvalidJson("JSON is not valid UTF-8") from None
    raise InvalidJson(str(error) or "JSON is malformed") from None


def is_raw_null(value: object) -> bool:
    """Whether a value that was not decoded is null."""
    return type(value) is msgspec.Raw and len(value) == 4 and bytes(value) == b"null"


def encode_json(value: object) -> bytes:
    """The compact JSON text of a value. NaN and infinities, which JSON cannot say, become null."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise InvalidJson("a string holds half of a surrogate pair") from error
    except RecursionError:
        raise InvalidJson("the document is nested too deeply") from None


def scalar_text(value: object) -> str | None:
    """The text of a scalar where text is built from values; None for null, lists and objects."""
    if type(value) is str:
        return value
    if type(value) is ExactFloat:
        return value.text
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int | float):
        return str(value)
    return None


def plain_numbers(value: Any) -> Any:
    """The value with ordinary floats, for libraries that take only those."""
    kind = type(value)
    if kind is dict:
        return {key: plain_numbers(inner) for key, inner in value.items()}
    if kind is list:
        return [plain_numbers(inner) for inner in value]
    return float(value) if kind is ExactFloat else value
