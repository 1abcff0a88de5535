import gzip
import zlib

import pytest

from proxy.errors import UpstreamInvalid, UpstreamTooLarge
from proxy.upstream.encoding import decode_content


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", " gzip "])
def test_gzip_is_unfolded(coding: str) -> None:
    assert decode_content(gzip.compress(b"abc"), coding, 10) == b"abc"


def test_deflate_is_unfolded_and_identity_is_itself() -> None:
    assert decode_content(zlib.compress(b"abc"), "deflate", 10) == b"abc"
    assert decode_content(b"abc", "identity", 10) == b"abc"


def test_a_bomb_is_stopped_at_the_limit() -> None:
    with pytest.raises(UpstreamTooLarge):
        decode_content(gzip.compress(b"0" * 10_000_000), "gzip", 1000)


def test_gzip_may_have_several_members_within_one_limit() -> None:
    body = gzip.compress(b"[1,") + gzip.compress(b"2]")
    assert decode_content(body, "gzip", 5) == b"[1,2]"
    with pytest.raises(UpstreamTooLarge):
        decode_content(body, "gzip", 4)


def test_nothing_in_a_coding_is_nothing() -> None:
    assert decode_content(b"", "gzip", 5) == b""


def test_exactly_the_limit_is_taken() -> None:
    assert decode_content(gzip.compress(b"0" * 1000), "gzip", 1000) == b"0" * 1000


@pytest.mark.parametrize(
    "body,coding", [(b"abc", "gzip"), (gzip.compress(b"abc", mtime=0)[:-4], "gzip"), (b"abc", "br")]
)
def test_a_broken_or_unknown_coding_is_the_upstreams_fault(body: bytes, coding: str) -> None:
    with pytest.raises(UpstreamInvalid):
        decode_content(body, coding, 1000)
