"""Who may ask the admin listener: this machine, or whoever has the token; never a web page."""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from proxy.admin.answers import as_json, as_problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Guard = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

# What orchestrators ask, who have no token. They get no more than a status.
OPEN = frozenset({"/healthz", "/readyz"})
_NAMES = frozenset({"localhost", "localhost.localdomain", ""})


def is_loopback(host: str) -> bool:
    """Whether only this machine gets to a listener on this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def guards(token: str | None) -> list[Any]:
    """The middlewares of an admin application."""
    return [refuse_pages, demand_token(token) if token is not None else refuse_other_names]


@web.middleware
async def refuse_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a web page sends."""
    # A page in a browser can post to loopback, but not without saying where it comes from.
    if request.method not in ("GET", "HEAD") and ("Origin" in request.headers or _cross_site(request)):
        return as_problem(403, "not from a web page")
    return await handler(request)


def _cross_site(request: web.Request) -> bool:
    return request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")


@web.middleware
async def refuse_other_names(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Without a token, only who calls this machine by its own name or address is served.

    A page whose name has been made to lead here (DNS rebinding) could read what it likes: to a browser it is the same
    origin.
    """
    host = request.headers.get("Host", "").lower()
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    if name not in _NAMES and not _is_address(name):
        return as_problem(421, "not by this name; write localhost, or set a token")
    return await handler(request)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def demand_token(token: str) -> Guard:
    """All but a status is for those who have the token (RFC 6750 §2.1)."""
    expected = token.encode()

    @web.middleware
    async def demanding(request: web.Request, handler: Handler) -> web.StreamResponse:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # In constant time: how long it takes says nothing of how much was right.
        known = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected)
        if scheme.lower() == "bearer" and known:
            return await handler(request)
        if request.path in OPEN and request.method in ("GET", "HEAD"):
            response = await handler(request)
            return as_json({"status": "ok" if response.status == 200 else "not ready"}, response.status)
        refused = as_problem(401, "this takes a token")
        refused.headers["WWW-Authenticate"] = 'Bearer realm="admin"'
        return refused

    return demanding
