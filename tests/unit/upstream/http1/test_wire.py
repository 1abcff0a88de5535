import pytest

from proxy.errors import GatewayError
from proxy.message import BodyStream
from proxy.upstream.http1.wire import encode_request


def encode(
    method: str = "GET", target: str = "/", headers: list[tuple[str, str]] | None = None, body: bytes | None = None
) -> bytes:
    return encode_request(method, target, headers or [], body, "up:80")


def test_a_request_has_its_line_its_host_and_its_headers_as_given() -> None:
    assert encode(target="/a%2Fb?x=1&", headers=[("X-A", "1"), ("x-a", "é")]) == (
        "GET /a%2Fb?x=1& HTTP/1.1\r\nHost: up:80\r\nX-A: 1\r\nx-a: é\r\n\r\n".encode()
    )


def test_bytes_that_are_not_utf_8_go_as_they_came() -> None:
    assert encode(headers=[("X-A", "a\udcff")]) == b"GET / HTTP/1.1\r\nHost: up:80\r\nX-A: a\xff\r\n\r\n"


def test_a_host_that_is_given_is_kept() -> None:
    assert encode(headers=[("host", "other")]) == b"GET / HTTP/1.1\r\nhost: other\r\n\r\n"


def test_an_empty_query_keeps_its_question_mark() -> None:
    assert encode(target="/a?").startswith(b"GET /a? HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "method,body,length",
    [("GET", None, None), ("GET", b"x", b"1"), ("POST", None, b"0"), ("PUT", b"abc", b"3"), ("DELETE", None, None)],
)
def test_the_framing_is_written_from_the_body(method: str, body: bytes | None, length: bytes | None) -> None:
    data = encode(method, body=body)
    assert (b"Content-Length: %s\r\n" % length in data) if length else (b"Content-Length" not in data)
    assert data.endswith(b"\r\n\r\n" + (body or b""))


@pytest.mark.parametrize(
    "target,headers",
    [
        ("/a b", []),
        ("/a\r\nX: y", []),
        ("/\x00", []),
        ("/é", []),
        ("", []),
        ("/", [("X", "a\r\nY: b")]),
        ("/", [("X", "a\nY: b")]),
        ("/", [("X\r\n", "a")]),
        ("/", [("X", "a\x00")]),
    ],
)
def test_what_would_break_the_framing_is_never_written(target: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(GatewayError):
        encode(target=target, headers=headers)


@pytest.mark.parametrize("length,framing", [(None, b"Transfer-Encoding: chunked"), (7, b"Content-Length: 7")])
def test_a_body_that_follows_is_framed_by_its_length(length: int | None, framing: bytes) -> None:
    class Stream(BodyStream):
        pass

    stream = Stream()
    stream.length = length
    data = encode_request("POST", "/", [], None, "up", stream)
    assert data == b"POST / HTTP/1.1\r\nHost: up\r\n" + framing + b"\r\n\r\n"
