"""Content codings of answers that are to be read (RFC 9110 §8.4.1), within a limit on what they unfold to."""

import zlib

from proxy.errors import UpstreamInvalid, UpstreamTooLarge

_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def decode_content(body: bytes, coding: str, limit: int) -> bytes:
    """The body without its coding. We ask for none, but some upstreams compress all the same.

    Raises `UpstreamInvalid` for an unknown or broken coding, `UpstreamTooLarge` for one that unfolds over `limit`.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in _WINDOW:
        raise UpstreamInvalid("the answer has a content coding that was not asked for")
    plain = b""
    while body:  # gzip may have several members (RFC 1952 §2.2)
        unfolding = zlib.decompressobj(_WINDOW[coding])
        try:
            plain += unfolding.decompress(body, limit + 1 - len(plain))
        except zlib.error:
            raise UpstreamInvalid("the compressed answer is broken") from None
        if len(plain) > limit:
            raise UpstreamTooLarge(f"the answer unfolds to over {limit} bytes")
        if not unfolding.eof:
            raise UpstreamInvalid("the compressed answer ended early")
        body = unfolding.unused_data
    return plain
