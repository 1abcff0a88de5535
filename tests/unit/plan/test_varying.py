import pytest

from proxy.expr.scope import Reference
from proxy.plan.varying import media_type_of, varying_headers


@pytest.mark.parametrize(
    "root,text,names",
    [
        ("headers", "$.headers.X-Who", ("x-who",)),
        ("headers", "$.headers['X-Who']", ("x-who",)),
        ("headers", 'headers["x-a"] == "1" && headers.b == ""', ("x-a", "b")),
        ("headers", "$.headers", ("*",)),
        ("headers", "headers.a == '' || headers[query.name] == ''", ("*",)),
        ("cookies", "$.cookies.sid", ("cookie",)),
        ("claims", "$.claims.sub", ("authorization",)),
        ("params", "$.params.id", ()),
        ("client", "$.client.ip", ()),
    ],
)
def test_an_answer_varies_with_the_headers_that_an_expression_names(
    root: str, text: str, names: tuple[str, ...]
) -> None:
    assert varying_headers([Reference(root, None, text)]) == names


def test_the_headers_of_a_calls_answer_are_not_the_clients() -> None:
    assert varying_headers([Reference("calls", "a", "$.calls.a.headers.etag")]) == ()


def test_each_header_is_named_once() -> None:
    reads = [Reference("headers", None, "$.headers.x"), Reference("headers", None, "$.headers.X")]
    assert varying_headers(reads) == ("x",)


@pytest.mark.parametrize(
    "headers,media_type",
    [
        ({}, "application/json"),
        ({"X-A": "b"}, "application/json"),
        ({"content-type": "Application/Hal+JSON; charset=utf-8"}, "application/hal+json"),
        ({"Content-Type": "$.query.type"}, None),
    ],
)
def test_the_media_type_is_what_the_route_writes(headers: dict[str, str], media_type: str | None) -> None:
    assert media_type_of(headers) == media_type
