"""The path of a route, as written in `match`: literals and parameters, segment by segment."""

import re
from typing import Literal as OneOf
from urllib.parse import quote

from msgspec import Struct

from proxy.errors import BadRequest
from proxy.problems import Invalid, did_you_mean
from proxy.target import normalise_path

Kind = OneOf["str", "int", "uuid", "path"]
KINDS = ("int", "uuid", "path", "str")


class Literal(Struct, frozen=True):
    """A segment that is written out, in normalised percent-encoded form."""

    text: str


class Param(Struct, frozen=True):
    """A segment (or, for `path`, the rest) that the request chooses."""

    name: str
    kind: Kind


class Pattern(Struct, frozen=True):
    """`/users/{id:int}` → two segments. `text` is as written."""

    text: str
    segments: tuple[Literal | Param, ...]


_PARAM = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_pattern(text: str) -> Pattern:
    """Parse a route's path. Raises `Invalid` for one that is wrong or that no request can match.

    `{rest:path}` takes what is left, also nothing: `/api/{rest:path}` matches `/api/` and `/api/x/y`, not `/api`.
    """
    if not text.startswith("/"):
        raise Invalid("bad-pattern", f"the path {text!r} does not start with a slash", f"write /{text}")
    if "?" in text or "#" in text:
        raise Invalid("bad-pattern", f"{text!r} has more than a path", "match a query with query: {name: value}")
    pieces = text[1:].split("/")
    segments = tuple(_segment(piece, text) for piece in pieces)
    names = [segment.name for segment in segments if isinstance(segment, Param)]
    for name in names:
        if names.count(name) > 1:
            raise Invalid("bad-pattern", f"{text!r} has two parameters named {name!r}", "name them apart")
    for segment in segments[:-1]:
        if isinstance(segment, Param) and segment.kind == "path":
            raise Invalid(
                "bad-pattern",
                f"{{{segment.name}:path}} takes the rest, so it stands last",
                "use {name} for one segment",
            )
        if segment == Literal(""):
            raise Invalid(
                "unreachable-route", f"{text!r} has a doubled slash, which requests never have", "write one slash"
            )
    return Pattern(text, segments)


# Its own normal form, as nearly every literal is.
_ORDINARY = re.compile(r"[0-9A-Za-z_-]+")


def _segment(piece: str, text: str) -> Literal | Param:
    if _ORDINARY.fullmatch(piece):
        return Literal(piece)
    if "{" not in piece and "}" not in piece:
        return _literal(piece, text)
    found = _PARAM.fullmatch(piece)
    if found is None:
        raise Invalid("bad-pattern", f"{piece!r} mixes text and a parameter", "a parameter is a whole segment: {name}")
    name, kind = found[1], found[2] or "str"
    if not _NAME.fullmatch(name):
        raise Invalid("bad-pattern", f"{name!r} cannot be a parameter's name", "use letters, digits and _")
    if kind not in KINDS:
        raise Invalid(
            "bad-pattern",
            f"{kind!r} is not a kind of parameter",
            did_you_mean(kind, KINDS) or "kinds are int, uuid and path",
        )
    return Param(name, kind)  # type: ignore[arg-type]


def _literal(piece: str, text: str) -> Literal:
    if piece.startswith(":") and len(piece) > 1:
        raise Invalid("bad-pattern", f"{piece!r} is another router's spelling of a parameter", f"write {{{piece[1:]}}}")
    if "*" in piece:
        raise Invalid(
            "bad-pattern",
            f"{piece!r} is another router's spelling of a parameter",
            "write {name}, or {rest:path} for the rest",
        )
    encoded = quote(piece, safe="!$&'()+,;=:@%-._~")
    try:
        normal = normalise_path("/" + encoded)[1:]
    except BadRequest as error:
        raise Invalid(
            "unreachable-route", f"no request can match {text!r}: {error.detail}", "write the path as clients send it"
        ) from None
    return Literal(normal)
