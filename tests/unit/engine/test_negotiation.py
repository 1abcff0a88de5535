import pytest

from proxy.engine.negotiation import accepts, choose_coding, weights


@pytest.mark.parametrize(
    "text,expected",
    [
        ("gzip", {"gzip": 1.0}),
        ("GZIP ; Q=0.5 , br;q=0", {"gzip": 0.5, "br": 0.0}),
        ("text/html;level=1;q=0.3, text/html;q=0.7", {"text/html": 0.7}),
        ("a;q=2, b;q=, c;q=0.1234, d;q=nan, e;q=-1", {}),
        (", ;q=1, a b, /x, caf\u00e9, ok", {"ok": 1.0}),
        ("", {}),
    ],
)
def test_what_cannot_be_read_is_passed_over(text: str, expected: dict[str, float]) -> None:
    assert weights(text) == expected


@pytest.mark.parametrize(
    "accept,taken",
    [
        ("", True),
        ("*/*", True),
        ("application/*;q=0.1", True),
        ("text/html, application/json;charset=utf-8", True),
        ("text/html, */*;q=0.01", True),
        ("text/html", False),
        ("application/json;q=0", False),
        ("application/json;q=0, */*", False),
        ("application/*;q=0, */*", False),
        ("*/*;q=0, application/json", True),
        ("application/xml, text/*", False),
        ("application/vnd.a+json", False),
        ("nonsense words, /", True),
    ],
)
def test_the_most_specific_range_decides_whether_a_type_is_taken(accept: str, taken: bool) -> None:
    assert accepts(accept, "application/json") is taken


@pytest.mark.parametrize(
    "accept_encoding,chosen",
    [
        ("", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.9", "gzip"),
        ("gzip;q=0", None),
        ("br", None),
        ("*", "zstd"),
        ("*, zstd;q=0", "gzip"),
        ("identity", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip, identity;q=0", "gzip"),
        ("gzip;q=oops", None),
    ],
)
def test_the_coding_that_the_client_likes_most_is_chosen(accept_encoding: str, chosen: str | None) -> None:
    assert choose_coding(accept_encoding, ("zstd", "gzip")) == chosen


def test_without_codings_there_is_none_to_choose() -> None:
    assert choose_coding("gzip", ()) is None
