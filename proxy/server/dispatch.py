"""Finds the route of a request in the current generation and has it served there to the end."""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, partial
from typing import Protocol

from multidict import CIMultiDict

from proxy.errors import BadRequest, MethodNotAllowed
from proxy.message import Request, Response
from proxy.plan.nodes import RoutePlan
from proxy.plan.routing import Found, Options, Router
from proxy.server.cors import preflight
from proxy.service import Service
from proxy.target import normalise

# What a route that names no method takes. TRACE has to be named.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Serving(Protocol):
    """What dispatch needs of a generation: its routes, their services, and a hold for as long as one runs."""

    @property
    def number(self) -> int: ...

    @property
    def router(self) -> Router[RoutePlan]: ...

    @property
    def services(self) -> Mapping[str, Service]: ...

    @property
    def max_target(self) -> int: ...

    def __enter__(self) -> "Serving": ...

    def __exit__(self, *exc_info: object) -> None: ...


def dispatch(current: Callable[[], Serving]) -> Callable[[Request], Awaitable[Response]]:
    """A service that matches and serves. `current` is read once per request."""

    async def serve(request: Request) -> Response:
        with current() as generation:
            response = await _serve_in(generation, request)
            if response.stream is not None:
                generation.__enter__()  # it owns the connection that the rest comes from
                response.at_end(partial(generation.__exit__, None, None, None))
            return response

    return serve


async def _serve_in(generation: Serving, request: Request) -> Response:
    request.generation = generation.number
    target = normalise(request.raw_target, max_length=generation.max_target)
    request.path, request.query, request.has_query = target.path, target.query, target.has_query
    _check_host(request, target.authority)
    if target.path == "*":
        return Response(204, CIMultiDict({"Allow": ", ".join(METHODS)}))
    found = generation.router.find(request.method, target.path, host_name(request.host), request.headers, target.query)
    if request.method == "OPTIONS" and (answer := _preflight(generation, request, found)) is not None:
        return answer
    if isinstance(found, Options):
        return Response(204, CIMultiDict({"Allow": ", ".join(found.allow)}))
    if request.method == "TRACE" and "TRACE" not in found.value.methods:
        # An answer that repeats the request shows a script the cookies that it may not read (CWE-693).
        raise MethodNotAllowed("TRACE", found.value.methods or METHODS)
    request.route = found.value.name
    request.params = found.params
    request.max_body = found.value.max_body
    return await generation.services[found.value.name](request)


def _preflight(generation: Serving, request: Request, found: Found[RoutePlan] | Options) -> Response | None:
    """The answer to a preflight (Fetch §3.2.2), if the route of the method that it asks for has `cors`."""
    method = request.headers.get("Access-Control-Request-Method")
    if method is None or "Origin" not in request.headers:
        return None
    if isinstance(found, Options) and method not in found.allow:
        return None
    asked = generation.router.find(method, request.path, host_name(request.host), request.headers, request.query)
    if isinstance(asked, Options) or asked.value.cors is None:
        return None
    request.route = asked.value.name
    return preflight(asked.value.cors, request, method)


class BrokenHost(BadRequest):
    """Who is meant is in doubt, and so is whoever stands in between: the connection is closed (RFC 9112 §3.2)."""

    close = True


def _check_host(request: Request, authority: str | None) -> None:
    """RFC 9112 §3.2: exactly one Host, and the target's own authority where it has one."""
    hosts = request.headers.getall("Host", ())
    if len(hosts) > 1 or (hosts and not is_host(hosts[0])):
        raise BrokenHost("the Host header is not one host")
    if authority is not None and hosts and authority.lower() != hosts[0].lower():
        raise BrokenHost("the request target names another host than the Host header")


# RFC 3986 §3.2.2, without user information; empty is allowed (RFC 9112 §3.2).
_HOST = re.compile(r"(?:[0-9A-Za-z._~!$&'()*+;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


@lru_cache(maxsize=1024)  # a server has few names
def is_host(value: str) -> bool:
    """Whether text can be a Host field: a name or address and perhaps a port, nothing else."""
    return _HOST.fullmatch(value) is not None


@lru_cache(maxsize=1024)
def host_name(host: str) -> str:
    """A Host without its port, in lower case."""
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[").lower()
    return host.partition(":")[0].lower()
