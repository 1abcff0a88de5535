"""Requests to a route with a cache: which pass it by, who may wait for whom, what is asked on behalf of everybody."""

from msgspec.structs import replace
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.cache.store import Stored
from proxy.clock import monotonic
from proxy.message import Request
from proxy.server.cachekey import STEERING
from proxy.server.landing import Lane

# What is asked on behalf of everybody must not depend on what one client has already.
_CONDITIONS = ("If-None-Match", "If-Modified-Since")
# Parts, protocols, and conditions that only who has the original can judge.
_PASSED_BY = ("Range", "If-Range", "If-Match", "If-Unmodified-Since", "Upgrade")


def is_passed_by(request: Request) -> bool:
    """Whether what is kept has nothing to do with a GET or HEAD."""
    headers = request.headers
    return any([name in headers for name in _PASSED_BY]) or has_body(request)


def has_body(request: Request) -> bool:
    """Whether a GET has content, which may have a say in its answer and in no key."""
    headers = request.headers
    return "Transfer-Encoding" in headers or headers.get("Content-Length", "0").strip() not in ("", "0")


def is_steered(request: Request) -> bool:
    """Whether it has headers that no Vary names, and that may change what is meant."""
    return not STEERING.isdisjoint([name.lower() for name in request.headers])


def lane_of(slot: str, request: Request) -> Lane:
    """Who must not wait for somebody whose answer cannot be his: an attacker's request, say, for all others."""
    headers = request.headers
    return (slot, "Authorization" in headers, "Cookie" in headers, is_steered(request))


def on_behalf_of_all(request: Request, stored: Stored | None) -> Request:
    """The request without what its client has already, and with what is here (§4.3.1)."""
    given = request.headers
    if stored is None and not any([name in given for name in _CONDITIONS]):
        return request
    headers = CIMultiDict(given)
    for name in _CONDITIONS:
        headers.popall(name, None)
    has = CIMultiDict(stored.headers if stored is not None else [])
    for condition, validator in zip(_CONDITIONS, ("ETag", "Last-Modified"), strict=True):
        if validator in has:
            headers[condition] = has[validator]
    return replace(request, headers=CIMultiDictProxy(headers))


def in_background(request: Request) -> Request:
    """The GET that a stale answer is renewed by: of nobody's connection, and with a time of its own."""
    return replace(
        request,
        method="GET",
        calls=[],
        received_at=monotonic(),
        read_body=_no_body,
        open_body=None,
        inform=None,
    )


async def _no_body(limit: int) -> bytes:
    return b""
