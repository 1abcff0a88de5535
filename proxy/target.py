"""The request target: one strict normalisation that matching and forwarding share (RFC 9112 §3.2, RFC 3986 §6.2.2).

What two parsers could read differently is refused, not repaired: dot segments in any spelling, encoded control
characters, broken percent-encoding. What remains goes upstream byte for byte.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from proxy.errors import BadRequest, TargetTooLong

MAX_LENGTH = 8190
MAX_PAIRS = 1000
_ORDINARY = re.compile(r"(?:/[0-9A-Za-z_~-][0-9A-Za-z_.~-]*)+/?|/")
_VISIBLE = re.compile(r"[\x21-\x7e]*")
_ABSOLUTE = re.compile(r"(https?)://([^/?#]*)(.*)", re.I)
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|%")
_SLASHES = re.compile(r"/{2,}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DOT_SEGMENT = re.compile(r"(?:^|[/\\])\.{1,2}(?:$|[/\\])")


@dataclass(frozen=True, slots=True)
class Target:
    """`path` is normalised and percent-encoded; `query` is raw, without its question mark."""

    path: str
    query: str
    has_query: bool
    authority: str | None = None


def normalise(raw: str, *, max_length: int = MAX_LENGTH) -> Target:
    """The target of a request line. Raises `BadRequest` or `TargetTooLong`."""
    if len(raw) > max_length:
        raise TargetTooLong(f"the request target is longer than {max_length} characters")
    path, mark, query = raw.partition("?")
    if _ORDINARY.fullmatch(path) and (not query or _is_clean_query(query)):
        return Target(path, query, bool(mark))
    return _normalise_slowly(raw)


def _is_clean_query(query: str) -> bool:
    return "#" not in query and _VISIBLE.fullmatch(query) is not None


def _normalise_slowly(raw: str) -> Target:
    if not raw or not _VISIBLE.fullmatch(raw):
        raise BadRequest("the request target holds characters that must be percent-encoded")
    if "#" in raw:
        raise BadRequest("the request target holds a fragment")
    if raw == "*":
        return Target("*", "", False)
    authority = None
    if found := _ABSOLUTE.fullmatch(raw):
        authority, raw = found[2], found[3]
        if not raw.startswith("/"):
            raw = "/" + raw
    path, mark, query = raw.partition("?")
    if not path.startswith("/"):
        raise BadRequest("the request target is not a path")
    return Target(normalise_path(path), query, bool(mark), authority)


def normalise_path(path: str) -> str:
    """The one form of a path. Raises `BadRequest` for one that could be read in two ways."""
    if "\\" in path:
        raise BadRequest("the path holds a backslash")
    path = _ENCODED.sub(_normal_byte, path)
    # Doubled slashes are joined, as nginx does by default: `//admin` must not pass by a rule for `/admin`.
    path = _SLASHES.sub("/", path)
    decoded = path
    for _ in range(3):  # also what an upstream would see that decodes once more
        if _DOT_SEGMENT.search(decoded):
            raise BadRequest("the path holds a dot segment")
        if "%" not in decoded:
            break
        decoded = _decode_once(decoded)
    return path


def _normal_byte(found: re.Match[str]) -> str:
    text = found.group()
    if len(text) == 1:
        raise BadRequest("the path holds a percent sign that encodes nothing")
    byte = int(text[1:], 16)
    if byte < 0x20 or byte == 0x7F:
        raise BadRequest("the path holds an encoded control character")
    return chr(byte) if byte in _UNRESERVED else text.upper()


def _decode_once(text: str) -> str:
    return unquote_to_bytes(text).decode("latin-1")


def decode_segment(segment: str) -> str:
    """A path segment as text. Raises `BadRequest` if it is not UTF-8."""
    if "%" not in segment:
        return segment
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise BadRequest("the path is not UTF-8") from None


def split_query(query: str) -> list[tuple[str, str]]:
    """The decoded pairs of a query or form, in order. Raises `BadRequest`."""
    if not query:
        return []
    pairs = query.split("&")
    if len(pairs) > MAX_PAIRS:
        raise BadRequest(f"the query has more than {MAX_PAIRS} parameters")
    decoded = []
    for pair in pairs:
        if pair:
            name, _, value = pair.partition("=")
            decoded.append((_decode_form(name), _decode_form(value)))
    return decoded


def _decode_form(text: str) -> str:
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise BadRequest("the query is not UTF-8") from None
