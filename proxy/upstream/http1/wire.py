"""What a request looks like on the wire (RFC 9112 §3)."""

import re

from proxy.errors import GatewayError
from proxy.message import BodyStream
from proxy.upstream.exchange import Pairs

_TARGET = re.compile(r"[\x21-\x7e]+")
# Their length is stated even when it is 0: an upstream may wait for it otherwise (RFC 9110 §8.6).
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def encode_request(
    method: str,
    target: str,
    headers: Pairs,
    body: bytes | None,
    host: str,
    stream: BodyStream | None = None,
) -> bytes:
    """The bytes of a request: framing is written here, from the body; the headers are as given.

    With a `stream` they are those of its head alone; a stream without a length is to be sent in chunks.

    Raises `GatewayError` for what would break the framing. Whoever made the parts has checked them already; this is
    the last place where a slip would be a request that nobody meant (CWE-93).
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    for name, value in headers:
        if len(name) == 4 and name.lower() == "host":
            lines[1] = f"{name}: {value}"
        else:
            lines.append(f"{name}: {value}")
    if stream is not None:
        lines.append("Transfer-Encoding: chunked" if stream.length is None else f"Content-Length: {stream.length}")
    elif body is not None or method in _WITH_BODY:
        lines.append(f"Content-Length: {len(body or b'')}")
    head = "\n".join(lines)
    if head.count("\n") != len(lines) - 1 or "\r" in head or "\0" in head or not _TARGET.fullmatch(target):
        raise GatewayError("something went wrong here", internal="a request would have broken its framing")
    # Bytes of a client's that are not UTF-8 came as lone surrogates, and go as what they were.
    encoded = head.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    return encoded if body is None else encoded + body
