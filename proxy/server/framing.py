"""What aiohttp's parser lets pass and two parsers could read differently: refused before anything looks at it."""

from aiohttp.web_request import BaseRequest

from proxy.errors import BadRequest, GatewayError, NotImplementedHere, VersionNotSupported

_SPOKEN = ((1, 1), (1, 0))


class BrokenFraming(BadRequest):
    """Where the next request would begin, nobody knows."""

    close = True


def fault_of(base: BaseRequest) -> GatewayError | None:
    """Why a request is refused whatever it asks for; None for nearly all."""
    version = base.version
    if version not in _SPOKEN:
        return VersionNotSupported("only HTTP/1.0 and HTTP/1.1 are spoken here")
    codings = base.headers.getall("Transfer-Encoding", None)
    if codings is None:
        return None
    if version == (1, 0):
        # RFC 9112 §6.1: whoever sent this may frame it in another way.
        return BrokenFraming("HTTP/1.0 has no transfer codings")
    if len(codings) != 1 or codings[0].strip(" \t").lower() != "chunked":
        return NotImplementedHere("the body has a transfer coding that is not spoken here")
    return None
