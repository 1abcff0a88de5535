"""`auth` of type `forward`: which upstream decides, and what it is told."""

from collections.abc import Sequence

from proxy.config.auth import Auth
from proxy.expr.scope import Scope, Vocabulary
from proxy.expr.urltemplate import compile_url_template
from proxy.message import NEVER_FORWARDED, is_token
from proxy.plan.auth import ForwardPlan
from proxy.problems import Invalid, Place, did_you_mean

# Framing, and what is said here of the way.
_NOT_TO_CHOOSE = NEVER_FORWARDED | {"content-length", "host"}


def compile_forward(name: str, auth: Auth, upstreams: frozenset[str], place: Place) -> ForwardPlan | None:
    """Who is asked, and which headers go there and back; None after reporting a problem."""
    asks = _names(auth.request_headers, ("Authorization", "Cookie"), place / "request_headers")
    passes = _names(auth.upstream_headers, (), place / "upstream_headers")
    tells = _names(auth.client_headers, (), place / "client_headers")
    claims = tuple((auth.claims or {}).items())
    for claim, header in claims:
        if not is_token(header):
            (place / "claims" / claim).problem("bad-header", f"{header!r} is not a header name")
    if auth.to is None:
        place.problem("missing-key", "'to' is missing", "write to: upstream:/path")
        return None
    upstream, colon, path = auth.to.partition(":")
    here = place / "to"
    if not colon or path.startswith("//"):
        here.problem("bad-target", f"{auth.to!r} does not name an upstream", "write upstream:/path")
        return None
    if upstream not in upstreams:
        hint = did_you_mean(upstream, upstreams) or "declare it under upstreams"
        here.problem("unknown-upstream", f"there is no upstream {upstream!r}", hint)
        return None
    if "${" in path:
        here.problem("bad-target", "who decides is asked in one place", "it sees the path in X-Forwarded-Uri")
        return None
    try:
        target = compile_url_template(path, Vocabulary()).render(Scope({}))
    except Invalid as error:
        here.invalid(error)
        return None
    return ForwardPlan(
        name=name,
        upstream=upstream,
        target=target,
        asks=asks,
        passes=passes,
        tells=tells,
        claims=claims,
        timeout_s=5.0 if auth.timeout is None else auth.timeout,
    )


def _names(given: Sequence[str] | None, unless_said: tuple[str, ...], place: Place) -> tuple[str, ...]:
    for index, name in enumerate(given or ()):
        where = place / index if len(given or ()) > 1 else place
        if not is_token(name):
            where.problem("bad-header", f"{name!r} is not a header name")
        elif name.lower() in _NOT_TO_CHOOSE:
            where.problem("bad-header", f"{name!r} is about the connection or written here", "leave it out")
    return unless_said if given is None else tuple(given)
