"""What an answer is kept under: everything that it may depend on, and nothing that a client can write unseen.

The method is not in it: only answers to GET are kept, and HEAD is served from those. Host, scheme and path are the ones
that were matched. What the upstream is told besides (X-Forwarded-*) is made of the same.
"""

from collections.abc import Iterable

from proxy.message import Headers, Request
from proxy.plan.nodes import RouteCachePlan

# Headers by which frameworks let a client choose another method, path or host than the request's. No Vary names them.
STEERING = frozenset(
    {
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-host",
        "x-original-host",
        "x-forwarded-server",
        "x-forwarded-scheme",
        "x-forwarded-prefix",
        "x-forwarded-path",
    }
)


def counted_query(query: str, names: frozenset[str]) -> str:
    """The pairs of a query that count, as they were written, in their order.

    The names are compared as they are written too: a spelling that only some would decode does not count, and is not
    sent on.
    """
    return "&".join([pair for pair in query.split("&") if pair.partition("=")[0] in names])


def primary_key(plan: RouteCachePlan, request: Request) -> str:
    """What every answer to a request is kept under, whatever its Vary."""
    query = f"?{request.query}" if request.has_query else ""
    key = f"{plan.identity} {request.scheme}://{request.host.lower()}{request.path}{query}"
    return key if not plan.keyed else key + _values(plan.keyed, request.headers)


def variant_key(key: str, names: Iterable[str], headers: Headers) -> str:
    """What one of the answers is kept under that have a Vary (RFC 9111 §4.1)."""
    return f"{key}\nvary{_values(names, headers)}"


def _values(names: Iterable[str], headers: Headers) -> str:
    # No header can hold a line break, so none can look like two.
    return "".join([f"\n{name}:{_value(name, headers)}" for name in names])


def _value(name: str, headers: Headers) -> str:
    """One header for comparing. That it is not there is not the same as that it is empty."""
    if name not in headers:
        return "-"
    parts = [part.strip() for value in headers.getall(name) for part in value.split(",")]
    if name == "accept-encoding":
        parts = sorted({part.lower() for part in parts if part})
    return "=" + ",".join(parts)


def key_tag(host: str, path_and_query: str) -> str:
    """The tag of everything that is kept of one address, for all routes, schemes and variants."""
    return f"key:{host.lower()}{path_and_query}"


def route_tag(name: str) -> str:
    """The tag of everything that is kept of one route."""
    return f"route:{name}"


def own_tag(name: str) -> str:
    """A tag that the configuration gives."""
    return f"tag:{name}"


def target_of(request: Request) -> str:
    """Path and query of a request, as they count."""
    return f"{request.path}?{request.query}" if request.has_query else request.path


def purge_tag(kind: str, text: str) -> str:
    """The tag of what is to be purged: of a `route`, a `tag`, or a `key`, which is an address, with its scheme or not.

    Raises `ValueError` for what can be none of them.
    """
    match kind:
        case "route":
            return route_tag(text)
        case "tag":
            return own_tag(text)
        case "key":
            host, slash, path = text.removeprefix("https://").removeprefix("http://").partition("/")
            if not slash or not host:
                raise ValueError("a key is an address: shop.example/products/7?page=2")
            return key_tag(host, "/" + path)
    raise ValueError(f"{kind!r} cannot be purged: write route, key or tag")
