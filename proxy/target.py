"""The request target: one strict normalisation that matching and forwarding share (RFC 9112 §3.2, RFC 3986 §6.2.2).

What two parsers could read differently is refused, not repaired: dot segments in any spelling, encoded control
characters, broken percent-encoding. What remains goes upstream byte for byte.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from proxy.errors import BadRequest, TargetTooLong

MAX_LENGTH = 8190
MAX_PAIRS = 1000

# A path that is its own normal form; nearly every request has one.
# (Not possessive, `++`: that of Python 3.11.2, which Debian 12 has, lets "/a/." through.)
_ORDINARY = re.compile(r"(?:/(?!\.\.?(?:/|\Z))[0-9A-Za-z_.~-]+)+/?|/")
_VISIBLE = re.compile(r"[\x21-\x7e]*")
_QUERY = re.compile(r"[\x21\x22\x24-\x7e]*")
# No user information: RFC 9110 §4.2.4 says to treat it as an error, and §4.2.1 that a host is never empty.
_ABSOLUTE = re.compile(r"https?://((?:[0-9a-z._~-]+|\[[0-9a-f:.]+\])(?::[0-9]*)?)(?=[/?]|\Z)", re.I)
_ENCODED = re.compile(r"%(?:[0-9A-Fa-f]{2})?")
_SLASHES = re.compile(r"/{2,}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Also inside what is one segment to us: an upstream may decode %2F and %5C, and Java servers drop `;x` from `..;x`.
_DOT_SEGMENT = re.compile(r"(?:^|[/\\])\.\.?(?:;[^/\\]*)?(?:$|[/\\])")
# How often a path is decoded to look for dot segments. A bound, or `%25252525…` would cost a pass for each level.
_DECODINGS = 3


class Target(NamedTuple):
    """`path` is normalised and percent-encoded; `query` is raw, without its question mark.

    `authority` is that of an absolute target, to be compared with the Host field. For `*` the path is `*`.
    """

    path: str
    query: str
    has_query: bool
    authority: str | None = None


def normalise(raw: str, *, max_length: int = MAX_LENGTH) -> Target:
    """The target of a request line in origin-form. Raises `BadRequest` or `TargetTooLong`.

    Applying it to its own result changes nothing. The query is kept byte for byte: a backslash or a lone percent
    sign in it is what browsers send, and means the same to everybody who does not decode it.
    """
    if len(raw) > max_length:
        raise TargetTooLong(f"the request target is longer than {max_length} characters")
    path, mark, query = raw.partition("?")
    if _ORDINARY.fullmatch(path) and (not query or _QUERY.fullmatch(query)):
        return Target(path, query, bool(mark))
    return _normalise_fully(raw)


def _normalise_fully(raw: str) -> Target:
    if not raw:
        raise BadRequest("the request target is empty")
    if not _VISIBLE.fullmatch(raw):
        raise BadRequest("the request target holds characters that must be percent-encoded")
    if "#" in raw:
        raise BadRequest("the request target holds a fragment")
    if raw == "*":
        return Target("*", "", False)
    authority = None
    if absolute := _ABSOLUTE.match(raw):
        authority = absolute[1]
        raw = raw[absolute.end() :]
        if not raw.startswith("/"):
            raw = "/" + raw
    path, mark, query = raw.partition("?")
    if not path.startswith("/"):
        raise BadRequest("the request target is neither a path nor an http URL")
    return Target(normalise_path(path), query, bool(mark), authority)


def normalise_path(path: str) -> str:
    """The one form of a path. Raises `BadRequest` for one that could be read in two ways."""
    if "\\" in path:
        raise BadRequest("the path holds a backslash")
    path = _ENCODED.sub(_normal_byte, path)
    # Doubled slashes are joined, as nginx does unless told otherwise (merge_slashes): `//admin` must not pass by a
    # rule for `/admin`, and sent on or put into a Location it would name a host (RFC 3986 §4.2, `//host/path`).
    path = _SLASHES.sub("/", path)
    _refuse_dot_segments(path)
    return path


def _normal_byte(found: re.Match[str]) -> str:
    text = found.group()
    if len(text) == 1:
        raise BadRequest("the path holds a percent sign that encodes nothing")
    byte = int(text[1:], 16)
    if byte < 0x20 or byte == 0x7F:
        raise BadRequest("the path holds an encoded control character")
    return chr(byte) if byte in _UNRESERVED else text.upper()


def _refuse_dot_segments(path: str) -> None:
    """Raise `BadRequest` if the path has a dot segment now, or would have one for those who decode it (again)."""
    for _ in range(_DECODINGS):
        if _DOT_SEGMENT.search(path):
            raise BadRequest("the path holds a dot segment")
        if "%" not in path:
            return
        path = unquote_to_bytes(path).decode("latin-1")
    if _DOT_SEGMENT.search(path):
        raise BadRequest("the path holds a dot segment")


def decode_segment(segment: str) -> str:
    """A path segment, or several, as text; `%2F` becomes a slash. Bytes that are not UTF-8 are lone surrogates."""
    if "%" not in segment:
        return segment
    return unquote_to_bytes(segment).decode("utf-8", "surrogateescape")


def split_query(query: str) -> list[tuple[str, str]]:
    """The decoded pairs of a query or form, in order, as browsers write them (WHATWG URL §5.1).

    A plus sign is a space, a percent sign that encodes nothing is itself, empty pairs are left out, but count.
    Raises `BadRequest` for more than `MAX_PAIRS` pairs, and for what is not UTF-8.
    """
    if not query:
        return []
    if query.count("&") >= MAX_PAIRS:
        raise BadRequest(f"the query has more than {MAX_PAIRS} parameters")
    decoded = []
    for pair in query.replace("+", " ").split("&"):
        if pair:
            name, _, value = pair.partition("=")
            decoded.append((_decode(name), _decode(value)))
    return decoded


def _decode(text: str) -> str:
    if "%" not in text and text.isascii():
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:  # Decode: the bytes. Encode: a surrogate, which stands for a byte that was not UTF-8.
        raise BadRequest("the query is not UTF-8") from None


def is_http_url(text: str) -> bool:
    """Whether text is an absolute http(s) URL without user information and fragment."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and not parts.fragment and "@" not in parts.netloc and not _CONTROL.search(text)


# What browsers and some libraries take out of a URL before they look at it.
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")
