"""The context document of a request: only the parts that the route's expressions read are made."""

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any

from proxy.document import InvalidJson, decode_json
from proxy.engine.outcome import header_mapping
from proxy.errors import BadRequest
from proxy.expr.scope import Scope
from proxy.message import Request, query_values
from proxy.target import split_query


class UnsupportedMediaType(BadRequest):
    """A request body that the route reads, in a format that it cannot read."""

    status = 415
    code = "unsupported_media_type"


def scope_maker(roots: frozenset[str]) -> Callable[[Request], Scope]:
    """A function that makes the scope of a request, but for its body: `add_body`. It raises `BadRequest`."""
    makers = tuple((root, maker) for root, maker in _MAKERS.items() if root in roots)
    with_query = "query" in roots or "query_all" in roots

    def make(request: Request) -> Scope:
        scope = Scope({root: maker(request) for root, maker in makers})
        if with_query:
            scope["query"], scope["query_all"] = query_values(split_query(request.query))
        return scope

    return make


async def add_body(scope: Scope, request: Request) -> None:
    """Read the request's body into its scope. Raises `BadRequest` for one that cannot be read."""
    scope["body"] = _parse_body(request, await request.read_body(request.max_body))


async def build_scope(request: Request, roots: frozenset[str]) -> Scope:
    """The request's roots. Raises `BadRequest` for a query, cookie or body that cannot be read."""
    scope = scope_maker(roots)(request)
    if "body" in roots:
        await add_body(scope, request)
    return scope


def _cookies(request: Request) -> dict[str, str]:
    try:
        jar = SimpleCookie("; ".join(request.headers.getall("Cookie", ())))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _params(request: Request) -> dict[str, Any]:
    """The path's parameters. A pass-through may carry bytes that are no text; an expression cannot read them."""
    for value in request.params.values():
        if type(value) is str and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise BadRequest("the path is not UTF-8") from None
    return request.params


def _request_root(request: Request) -> dict[str, Any]:
    return {
        "id": request.id,
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "host": request.host,
        "scheme": request.scheme,
    }


def _client(request: Request) -> dict[str, Any]:
    client: dict[str, Any] = {"ip": request.client_ip, "port": request.client_port}
    if request.cert is not None:
        client["cert"] = request.cert
    return client


_MAKERS: dict[str, Callable[[Request], Any]] = {
    "params": _params,
    "headers": lambda request: header_mapping(request.headers),
    "cookies": _cookies,
    "client": _client,
    "request": _request_root,
    "claims": lambda request: request.claims,
}


def _parse_body(request: Request, body: bytes) -> Any:
    if not body:
        return None
    media_type = request.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
    if media_type == "application/json" or media_type.endswith("+json"):
        try:
            return decode_json(body)
        except InvalidJson as error:
            raise BadRequest(f"the body is not JSON: {error}") from None
    if media_type == "application/x-www-form-urlencoded":
        try:
            return query_values(split_query(body.decode("ascii")))[0]
        except UnicodeDecodeError:
            raise BadRequest("the form is not percent-encoded") from None
    raise UnsupportedMediaType(f"a body of type {media_type} cannot be read here")
