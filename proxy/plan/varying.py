"""What a composite's answer varies with, as far as its expressions tell: the request headers that they read."""

import re
from collections.abc import Iterable, Mapping

from proxy.expr.scope import Reference

_HEADER = re.compile(r"""\bheaders(?:\s*\.\s*([A-Za-z0-9_-]+)|\s*\[\s*["']([^"']+)["'])""")
_WORD = re.compile(r"(?<![A-Za-z0-9_-])headers(?![A-Za-z0-9_-])")
_SOURCES = {"cookies": "cookie", "claims": "authorization"}


def varying_headers(reads: Iterable[Reference]) -> tuple[str, ...]:
    """The names for `Vary` (RFC 9110 §12.5.5), in lower case; `*` where an expression's text does not name them all."""
    names: dict[str, None] = {}
    for reference in reads:
        if reference.call is not None:
            continue
        if reference.root in _SOURCES:
            names[_SOURCES[reference.root]] = None
        elif reference.root == "headers":
            found = [(dotted or quoted).lower() for dotted, quoted in _HEADER.findall(reference.text)]
            names.update(dict.fromkeys(found))
            if len(found) < len(_WORD.findall(reference.text)):
                names["*"] = None
    return ("*",) if "*" in names else tuple(names)


def media_type_of(headers: Mapping[str, str]) -> str | None:
    """The media type of a composite with these additional headers, None where an expression computes it."""
    for name, value in headers.items():
        if name.lower() == "content-type":
            return None if "$" in value else value.partition(";")[0].strip().lower()
    return "application/json"
