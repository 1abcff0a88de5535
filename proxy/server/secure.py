"""The listener beside one that speaks TLS: whoever comes without it is sent there."""

from collections.abc import Awaitable, Callable

from multidict import CIMultiDict

from proxy.errors import BadRequest
from proxy.message import Request, Response
from proxy.server.dispatch import is_host
from proxy.target import normalise

_HTTPS = 443


def to_https(port: Callable[[], int]) -> Callable[[Request], Awaitable[Response]]:
    """A service that answers with the same address under https, at the port that clients know (RFC 9110 §15.4.9).

    The method stays, and so does the body: 308.
    """

    async def redirect(request: Request) -> Response:
        hosts = request.headers.getall("Host", ())
        if len(hosts) != 1 or not request.host or not is_host(request.host):
            raise BadRequest("the Host header is not one host")
        target = normalise(request.raw_target)
        if target.path == "*":
            raise BadRequest("there is no address to go to")
        query = f"?{target.query}" if target.has_query else ""
        where = f"https://{_without_port(request.host)}{_written(port())}{target.path}{query}"
        return Response(308, CIMultiDict({"Location": where}))

    return redirect


def _written(port: int) -> str:
    return "" if port == _HTTPS else f":{port}"


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and not port.endswith("]") else host
