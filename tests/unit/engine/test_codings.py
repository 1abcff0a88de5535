import gzip
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.engine.codings import compress_gzip, find_codings, is_compressible

BODY = b'{"name":"Ann"}' * 100


def test_gzip_gives_the_same_bytes_at_any_time() -> None:
    packed = compress_gzip(BODY)
    assert gzip.decompress(packed) == BODY
    assert packed[4:8] == bytes(4)
    assert len(packed) < len(BODY) / 10


def absent(name: str) -> Any:
    raise ImportError(name)


def test_without_zstd_there_is_gzip() -> None:
    assert list(find_codings(absent)) == ["gzip"]


def test_zstd_comes_first_from_whichever_module_has_it() -> None:
    def only_backport(name: str) -> Any:
        if name != "backports.zstd":
            raise ImportError(name)
        return SimpleNamespace(compress=lambda body, level: b"%d:%s" % (level, body))

    codings = find_codings(only_backport)
    assert list(codings) == ["zstd", "gzip"]
    assert codings["zstd"].compress(b"x") == b"3:x"


def test_what_this_python_has_unpacks_again() -> None:
    for name, coding in find_codings().items():
        if name == "gzip":
            assert gzip.decompress(coding.compress(BODY)) == BODY
        else:
            assert coding.compress(BODY)[:4] == b"\x28\xb5\x2f\xfd"


@pytest.mark.parametrize(
    "content_type,is_worth_it",
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/problem+json", True),
        ("text/plain; charset=utf-8", True),
        ("image/png", False),
        ("application/octet-stream", False),
        ("", False),
    ],
)
def test_json_and_text_are_compressible(content_type: str, is_worth_it: bool) -> None:
    assert is_compressible(content_type) is is_worth_it
