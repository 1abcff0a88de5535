"""The head of a request as it goes on to an upstream: what crosses, and what we say of the way it came."""

import re
from collections.abc import Callable
from functools import lru_cache

from multidict import CIMultiDict

from proxy.errors import LoopDetected
from proxy.expr.scope import Scope
from proxy.message import Headers, Request, end_to_end, is_token, spellings
from proxy.plan.fields import header_values
from proxy.plan.nodes import ServerPlan
from proxy.plan.proxying import HeaderPlan, ProxyPlan
from proxy.plan.upstreams import UpstreamPlan

# Written anew or by the connection to the upstream.
_OURS = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "host",
    "content-length",
)
# What else is said of the way by habit. A trusted proxy's word passes, a client's does not.
_CLAIMS = ("x-forwarded-prefix", "x-forwarded-server", "x-forwarded-ssl", "x-real-ip")
# Nor may these come in by another spelling.
_FRAMING = ("connection", "keep-alive", "proxy-authorization", "proxy-connection", "transfer-encoding")

MakeHeaders = Callable[[Request, Scope], CIMultiDict[str]]


def request_headers(plan: ProxyPlan, upstream: UpstreamPlan, server: ServerPlan) -> MakeHeaders:
    """A function that makes the headers of a request for an upstream. It raises `LoopDetected`."""
    via = via_of(server)
    changes = None if plan.request_headers.empty else plan.request_headers
    written = (*_OURS, *_FRAMING, "x-request-id", *plan.request_headers.remove)
    ours, claims = spellings(written), spellings((*written, *_CLAIMS))
    x_forwarded, forwarded = server.forwarded != "forwarded", server.forwarded != "x-forwarded"

    def make(request: Request, scope: Scope) -> CIMultiDict[str]:
        if "Via" in request.headers:
            _refuse_loop(request.headers, server)
        headers = end_to_end(request.headers, drop=claims if request.way is None else ours)
        if "Max-Forwards" in headers and (left := hops_left(request)) is not None:
            headers["Max-Forwards"] = str(left - 1)
        if (host := upstream.host_for(request.host)) is not None:
            headers["Host"] = host
        if x_forwarded:
            _tell_the_way(headers, request)
        if forwarded:
            headers["Forwarded"] = forwarded_value(request)
        headers["X-Request-Id"] = request.id
        if "TE" in request.headers and any("trailers" in value.lower() for value in request.headers.getall("TE")):
            headers["TE"] = "trailers"  # all that a proxy without codings of its own can pass on (RFC 9110 §10.1.4)
            headers["Connection"] = "TE"
        headers.add("Via", via)
        if changes is not None:
            change_headers(headers, changes, scope)
        return headers

    return make


def hops_left(request: Request) -> int | None:
    """How many more proxies a request may be sent on by; None if nobody counts (RFC 9110 §7.6.2)."""
    value = request.headers.get("Max-Forwards", "")
    if request.method not in ("OPTIONS", "TRACE") or not re.fullmatch(r"[0-9]{1,9}", value):
        return None
    return int(value)


def via_of(server: ServerPlan) -> str:
    """What this gateway says of itself (RFC 9110 §7.6.3)."""
    return f"1.1 {server.id}"


def _refuse_loop(headers: Headers, server: ServerPlan) -> None:
    passes = 0
    for value in headers.getall("Via"):
        for member in value.split(","):
            words = member.split(None, 2)  # protocol, name, perhaps a comment
            passes += len(words) > 1 and words[1].lower() == server.id.lower()
    if passes >= server.max_passes:
        raise LoopDetected(f"the request has passed through this gateway {passes} times")


def _tell_the_way(headers: CIMultiDict[str], request: Request) -> None:
    way = request.way
    headers["X-Forwarded-For"] = request.client_ip if way is None else ", ".join(way.chain)
    headers["X-Forwarded-Proto"] = request.scheme
    if request.host:
        headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Port"] = (way.port if way is not None else "") or port_of(request.host, request.scheme)


@lru_cache(maxsize=1024)  # a server has few names
def port_of(host: str, scheme: str) -> str:
    """The port that a client meant: the one in the Host, or its scheme's own."""
    return host.rpartition("]")[2].partition(":")[2] or ("443" if scheme == "https" else "80")


def forwarded_value(request: Request) -> str:
    """The way in one field (RFC 7239 §4): an element for each hop, the client's with what it asked for."""
    chain = (request.client_ip,) if request.way is None else request.way.chain
    first, *others = [f"for={_quoted(f'[{hop}]' if ':' in hop else hop or 'unknown')}" for hop in chain]
    host = f";host={_quoted(request.host)}" if request.host else ""
    return ", ".join([f"{first}{host};proto={request.scheme}", *others])


def _quoted(text: str) -> str:
    """A token, or a quoted string (RFC 9110 §5.6.4). Addresses and hosts hold no quotation marks and backslashes."""
    return text if is_token(text) else f'"{text}"'


def change_headers(headers: CIMultiDict[str], plan: HeaderPlan, scope: Scope) -> None:
    """Remove, set, then add, as the route says."""
    for name in plan.remove:
        headers.popall(name, None)
    headers.update(header_values(plan.set, scope))
    for name, value in header_values(plan.add, scope):
        headers.add(name, value)
