"""The handshake of a WebSocket on both sides (RFC 6455 §4): what is asked of an upstream, and what it may answer.

From then on nobody here looks into what is said (`relay`).
"""

import base64
import binascii
import hashlib

from multidict import CIMultiDict

from proxy.errors import BadRequest, GatewayError, UpstreamInvalid
from proxy.message import BodyStream, Headers, Request, Response, connection_options
from proxy.plan.proxying import WebSocketPlan
from proxy.upstream.exchange import StreamedResponse
from proxy.upstream.http1.duplex import Duplex

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocketsOff(GatewayError):
    """The route passes requests through, but no WebSockets."""

    status = 501
    code = "websocket_off"
    source = "client"
    close = True


class BadHandshake(BadRequest):
    """What a client sends behind a handshake could be anything, so nothing of it is read."""

    close = True


class Switched(BodyStream):
    """The rest of an answer with 101: no body, but a connection to an upstream, and how it is to be relayed."""

    __slots__ = ("duplex", "plan", "route")
    length = None

    def __init__(self, duplex: Duplex, plan: WebSocketPlan, route: str) -> None:
        self.duplex = duplex
        self.plan = plan
        self.route = route

    def close(self) -> None:
        self.duplex.close()


def asks_for_websocket(headers: Headers) -> bool:
    """Whether a request wants its connection to become a WebSocket (RFC 9110 §7.8)."""
    if "Upgrade" not in headers or "upgrade" not in connection_options(headers):
        return False
    asked = [part.strip().lower() for value in headers.getall("Upgrade") for part in value.split(",")]
    return "websocket" in asked


def check_handshake(request: Request, plan: WebSocketPlan | None) -> None:
    """RFC 6455 §4.2.1. Raises what is wrong, before anything is sent to anybody."""
    if plan is None:
        raise WebSocketsOff("no WebSocket can be opened here")
    headers = request.headers
    if request.method != "GET" or not request.can_switch:
        raise BadHandshake("a WebSocket begins with a GET of HTTP/1.1")
    if headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in headers:
        raise BadHandshake("a WebSocket begins with a request without a body")
    if [value.strip().lower() for value in headers.getall("Upgrade")] != ["websocket"]:
        raise BadHandshake("Upgrade names more than websocket")
    keys, versions = headers.getall("Sec-WebSocket-Key", ()), headers.getall("Sec-WebSocket-Version", ())
    if len(keys) != 1 or not _is_key(keys[0].strip()):
        raise BadHandshake("Sec-WebSocket-Key is not one key of 16 bytes in base64")
    # Which versions there are is for the upstream to say, with its 426.
    if len(versions) != 1 or not (versions[0].strip().isascii() and versions[0].strip().isdigit()):
        raise BadHandshake("Sec-WebSocket-Version is not one number")


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def ask_upstream(headers: CIMultiDict[str]) -> None:
    """Make a request's headers ask for a WebSocket. Both fields are of one hop, so neither came from the client."""
    headers.popall("TE", None)
    headers["Connection"] = "Upgrade"
    headers["Upgrade"] = "websocket"


def switched(
    request: Request, answer: StreamedResponse, headers: CIMultiDict[str], plan: WebSocketPlan, route: str
) -> Response:
    """The 101 of an upstream as an answer to the client, with these headers. Raises `UpstreamInvalid`.

    Who cannot tell what was asked of it has not understood that the bytes from now on are no HTTP, whatever its status
    says: letting a client talk to it would be a way past every rule of this gateway (CWE-444).
    """
    duplex = answer.duplex
    key = request.headers.get("Sec-WebSocket-Key", "").strip()
    upgrade = [value.strip().lower() for value in answer.headers.getall("Upgrade", ())]
    accepted = [value.strip() for value in answer.headers.getall("Sec-WebSocket-Accept", ())]
    if duplex is None or upgrade != ["websocket"] or accepted != [accept_of(key)]:
        answer.close()
        raise UpstreamInvalid("the upstream's answer is none to a WebSocket handshake")
    headers["Connection"] = "Upgrade"
    headers["Upgrade"] = "websocket"
    return Response(101, headers, stream=Switched(duplex, plan, route))


def accept_of(key: str) -> str:
    """The `Sec-WebSocket-Accept` that a key demands (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
