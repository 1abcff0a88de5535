"""`error_pages` of a route, or of all → the page for each status."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from proxy.config.model import ErrorPage
from proxy.document import scalar_text
from proxy.expr.expression import Expression, compile_hole, split_holes
from proxy.expr.scope import REQUEST_ROOTS, Scope, Vocabulary
from proxy.merge.operators import OPERATORS
from proxy.merge.shape import Shaper
from proxy.plan.compile_actions import request_roots
from proxy.plan.fields import compile_headers, optional, statuses
from proxy.plan.nodes import PagePlan
from proxy.problems import Invalid, Place

# A request's body may have gone upstream by then, piece by piece.
_ROOTS = REQUEST_ROOTS - {"body"}
_HTML = re.compile(r"text/html|application/xhtml\+xml", re.I)


def compile_pages(pages: Mapping[str, ErrorPage], names: Vocabulary, place: Place) -> dict[int, PagePlan]:
    """Status → page. One that is written for a status stands before one for its class."""
    names = Vocabulary(params=names.params, local=frozenset({"error"}), constants=names.constants, request=_ROOTS)
    found: dict[int, PagePlan] = {}
    for pattern in sorted(pages, key=lambda pattern: not pattern.endswith("xx")):
        here = place / pattern
        if not re.fullmatch(r"[45](?:xx|[0-9]{2})", pattern):
            here.problem("bad-status", f"there is no error page for {pattern!r}", "write 404, 4xx or 5xx", at_key=True)
            continue
        page = _compile_page(pages[pattern], names, here)
        found.update((status, page) for status in statuses((pattern,)))
    return found


def _compile_page(page: ErrorPage, names: Vocabulary, place: Place) -> PagePlan:
    headers, reads = compile_headers(page.headers, names, place / "headers")
    typed = [value for name, value in page.headers.items() if name.lower() == "content-type"]
    is_text = isinstance(page.body, str) and not page.body.startswith("$.")
    body = None
    if "body" in page.model_fields_set:
        if is_text:
            html = bool(typed) and _HTML.match(typed[0]) is not None
            body = _compile_text(page.body, names, place / "body", html=html)
        else:
            shape = Shaper(names, OPERATORS).compile(page.body, place / "body")
            body = Expression("", shape.evaluate, shape.reads)
        reads = [*reads, *body.reads]
    return PagePlan(
        status=page.status,
        headers=optional(headers),
        body=body.evaluate if body is not None else None,
        is_text=is_text,
        roots=request_roots(reads) - {"error"},
    )


def _compile_text(text: str, names: Vocabulary, place: Place, *, html: bool) -> Expression:
    """Text whose holes never fail, and in which the client's text is no markup (CWE-79)."""
    try:
        parts = [part if isinstance(part, str) else compile_hole(part, names) for part in split_holes(text)]
    except Invalid as error:
        place.invalid(error)
        return Expression(text, lambda scope: text)
    reads = tuple(reference for part in parts if not isinstance(part, str) for reference in part.reads)

    def shown(value: Any) -> str:
        plain = scalar_text(value) or ""
        return escape(plain) if html else plain

    def evaluate(scope: Scope) -> str:
        return "".join(part if isinstance(part, str) else shown(part.evaluate(scope)) for part in parts)

    return Expression(text, evaluate, reads)
