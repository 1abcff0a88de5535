"""Request targets with holes: `/users/${params.id}/orders?page=${query.page}`.

Whatever a value is, it stays inside its own path segment or query value: it is percent-encoded there, and a
segment that would come out empty or as a dot segment is refused, also if an upstream decodes it once more
(RFC 3986 §3.3, §6.2.2.3). A refused value from the client is a 400; one from another call fails the call.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from msgspec import Struct

from proxy.document import scalar_text
from proxy.errors import ExtractionFailed, MissingValue, UnsafeValue
from proxy.expr.expression import (
    Expression,
    Hole,
    compile_hole,
    from_client,
    only_client,
    render_hole,
    split_holes,
)
from proxy.expr.scope import MISSING, Reference, Scope, Vocabulary
from proxy.problems import Invalid

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LINE_BREAK = re.compile(r"[\x00\r\n]")
# RFC 3986 §3.3: pchar, without what must be encoded. A percent sign stands for itself in a template.
_PATH_SAFE = "!$&'()*+,;=:@%"
_QUERY_SAFE = "!$'()*+,;:@/?%&="


class UrlTemplate(Struct, frozen=True):
    """A compiled target. `render` gives the path and query to send, as ASCII, starting with a slash.

    `client_parts` render the parts that the request alone decides, so that they can be refused early.
    """

    text: str
    render: Callable[[Scope], str]
    reads: tuple[Reference, ...]
    client_parts: tuple[Callable[[Scope], str], ...] = ()


def compile_url_template(text: str, names: Vocabulary) -> UrlTemplate:
    """Compile a path with an optional query. Raises `Invalid` if no value could make it a safe target."""
    if not text.startswith("/"):
        raise Invalid("bad-url", f"the path {text!r} does not start with a slash", f"write /{text}")
    parts = split_holes(text)
    if any(isinstance(part, str) and "#" in part for part in parts):
        raise Invalid("bad-url", f"{text!r} has a fragment, which is never sent", "leave out the # part, or write %23")
    path, query = _split_query(parts)
    segments = [_compile_segment(segment, names, text) for segment in _split_segments(path)]
    query_parts = [part if isinstance(part, str) else _query_hole(part, names) for part in query]
    reads = tuple(
        reference
        for part in [*(hole for segment in segments for hole in segment.holes), *query_parts]
        if not isinstance(part, str)
        for reference in part.reads
    )
    client_parts = [segment.render for segment in segments if only_client([r for h in segment.holes for r in h.reads])]
    client_parts += [part.render for part in query_parts if not isinstance(part, str) and only_client(part.reads)]
    return UrlTemplate(text, _renderer(segments, query_parts), reads, tuple(client_parts))


def encode_query_value(value: Any, *, client: bool, text: str) -> str:
    """One query value, percent-encoded. Raises `UnsafeValue` or `ExtractionFailed`."""
    rendered = scalar_text(value)
    if rendered is None:
        raise (MissingValue if client else ExtractionFailed)(f"{text} is not a string, a number or a boolean")
    if _ORDINARY.fullmatch(rendered):
        return rendered
    if _LINE_BREAK.search(rendered):
        raise unsafe(text, "holds a line break or NUL", client)
    return _quote(rendered, text, client)


def unsafe(text: str, why: str, client: bool) -> Exception:
    """The error for a value that would change the meaning of a request, by whose fault it is."""
    return UnsafeValue(f"{text} {why}") if client else ExtractionFailed(f"{text} {why}")


def _quote(value: str, text: str, client: bool) -> str:
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise unsafe(text, "holds half of a surrogate pair", client) from None


class _Segment(Struct, frozen=True):
    """`fixed` is its text if it has no holes."""

    render: Callable[[Scope], str]
    holes: tuple[Expression, ...]
    fixed: str | None = None


def _split_query(parts: list[str | Hole]) -> tuple[list[str | Hole], list[str | Hole]]:
    for index, part in enumerate(parts):
        if isinstance(part, str) and "?" in part:
            before, _, after = part.partition("?")
            query = [
                quote(piece, safe=_QUERY_SAFE) if isinstance(piece, str) else piece
                for piece in (after, *parts[index + 1 :])
            ]
            return [*parts[:index], before], ["?", *query]
    return parts, []


def _split_segments(path: list[str | Hole]) -> list[list[str | Hole]]:
    segments: list[list[str | Hole]] = [[]]
    for part in path:
        if isinstance(part, Hole):
            segments[-1].append(part)
            continue
        first, *others = part.split("/")
        segments[-1].append(first)
        segments.extend([other] for other in others)
    return segments[1:]  # what stands before the first slash is empty


def _compile_segment(parts: list[str | Hole], names: Vocabulary, text: str) -> _Segment:
    if len(parts) == 1 and isinstance(parts[0], str) and _ORDINARY.fullmatch(parts[0]):
        return _fixed_segment(parts[0])
    pieces = [
        quote(part, safe=_PATH_SAFE) if isinstance(part, str) else compile_hole(part, names)
        for part in parts
        if part != ""
    ]
    holes = tuple(piece for piece in pieces if not isinstance(piece, str))
    if not holes:
        fixed = "".join(piece for piece in pieces if isinstance(piece, str))
        if unquote(fixed) in (".", ".."):
            raise Invalid("bad-url", f"{text!r} has a dot segment", "write the path that is meant")
        return _fixed_segment(fixed)
    where = " and ".join(f"${{{hole.text.removeprefix('$.')}}}" for hole in holes)
    client = any(from_client(hole.reads) for hole in holes)

    if len(holes) == len(pieces) == 1:
        return _Segment(_only_hole(holes[0], where, client), holes)

    def render(scope: Scope) -> str:
        raw = ""
        encoded = ""
        for piece in pieces:
            if isinstance(piece, str):
                raw += piece
                encoded += piece
            else:
                value = render_hole(piece.text, piece.evaluate(scope), client=only_client(piece.reads))
                raw += value
                encoded += _quote(value, where, client)
        _check_segment(raw, where, client)
        return encoded

    return _Segment(render, holes)


def _only_hole(hole: Expression, where: str, client: bool) -> Callable[[Scope], str]:
    """A segment that is one value, as nearly every one with a hole is."""
    evaluate, text, of_client = hole.evaluate, hole.text, only_client(hole.reads)

    def render(scope: Scope) -> str:
        value = evaluate(scope)
        if type(value) is int:
            return str(value)
        raw = render_hole(text, value, client=of_client)
        if _ORDINARY.fullmatch(raw):
            return raw
        _check_segment(raw, where, client)
        return _quote(raw, where, client)

    return render


@lru_cache(maxsize=4096)
def _fixed_segment(text: str) -> _Segment:
    return _Segment(lambda scope: text, (), text)


def _check_segment(raw: str, where: str, client: bool) -> None:
    """Refuse a segment that is, or after more decoding would be, something else than one segment."""
    if not raw:
        raise unsafe(where, "is empty where a path segment is needed", client)
    if _ORDINARY.fullmatch(raw):
        return
    for _ in range(3):
        if _CONTROL.search(raw):
            raise unsafe(where, "holds a control character", client)
        if any(piece in (".", "..") for piece in re.split(r"[/\\]", raw)):
            raise unsafe(where, "is a dot segment", client)
        decoded = unquote(raw)
        if decoded == raw:
            return
        raw = decoded


_ORDINARY = re.compile(r"[0-9A-Za-z_-]+")


class _QueryHole(Struct, frozen=True):
    text: str
    evaluate: Callable[[Scope], Any]
    client: bool
    reads: tuple[Reference, ...]

    def render(self, scope: Scope) -> str:
        return encode_query_value(self.evaluate(scope), client=self.client, text=self.text)


def _query_hole(hole: Hole, names: Vocabulary) -> _QueryHole:
    expression = compile_hole(hole, names)
    return _QueryHole(f"${{{hole.text}}}", expression.evaluate, from_client(expression.reads), expression.reads)


def _renderer(segments: list[_Segment], query: list[str | _QueryHole]) -> Callable[[Scope], str]:
    """One closure for a target; fixed pieces that stand together are one."""
    pieces: list[str | Callable[[Scope], str]] = []
    for segment in segments:
        pieces += ["/", segment.render if segment.fixed is None else segment.fixed]
    pieces += [part if isinstance(part, str) else part.render for part in query]
    joined: list[str | Callable[[Scope], str]] = []
    for piece in pieces:
        if joined and isinstance(piece, str) and isinstance(last := joined[-1], str):
            joined[-1] = last + piece
        else:
            joined.append(piece)
    match joined:
        case [str(fixed)]:
            return lambda scope: fixed
        case [str(before), render_only] if not isinstance(render_only, str):
            return lambda scope: before + render_only(scope)
    return lambda scope: "".join([piece if isinstance(piece, str) else piece(scope) for piece in joined])


def is_missing(value: Any) -> bool:
    """Whether a query value is left out: missing or null."""
    return value is MISSING or value is None
