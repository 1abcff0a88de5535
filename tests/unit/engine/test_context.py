from typing import Any

import pytest

from proxy.engine.context import UnsupportedMediaType, build_scope
from proxy.errors import BadRequest

JSON = {"Content-Type": "application/json; charset=utf-8"}


async def test_only_what_is_read_is_made(request_of: Any) -> None:
    assert set(await build_scope(request_of(body=b"not json", query="%ff"), frozenset({"params"}))) == {"params"}


async def test_the_parts_of_a_request(request_of: Any) -> None:
    request = request_of(query="a=1&a=2", headers={"X-A": "b", "Cookie": "c=d; e=f"})
    roots = frozenset({"params", "query", "query_all", "headers", "cookies", "client", "request", "claims"})
    scope = await build_scope(request, roots)
    assert scope["params"] == {"id": "7"}
    assert scope["query"] == {"a": "1"}
    assert scope["query_all"] == {"a": ["1", "2"]}
    assert scope["headers"]["x-a"] == "b"
    assert scope["cookies"] == {"c": "d", "e": "f"}
    assert scope["client"] == {"ip": "192.0.2.1", "port": 5000}
    assert scope["request"]["path"] == "/page/7"
    assert scope["claims"] is None


async def test_a_path_that_is_no_text_is_refused_where_it_is_read_and_only_there(request_of: Any) -> None:
    request = request_of(params={"id": "\udcff", "n": 7, "e": "é"})
    assert await build_scope(request, frozenset({"request"}))
    with pytest.raises(BadRequest, match="the path is not UTF-8"):
        await build_scope(request, frozenset({"params"}))


@pytest.mark.parametrize(
    "body,headers,value",
    [
        (b"", {}, None),
        (b'{"a":1}', {}, {"a": 1}),
        (b'{"a":1}', JSON, {"a": 1}),
        (b"[1]", {"Content-Type": "application/vnd.x+json"}, [1]),
        (b"a=b+c&d=%C3%A9", {"Content-Type": "application/x-www-form-urlencoded"}, {"a": "b c", "d": "é"}),
    ],
)
async def test_a_body_is_json_or_a_form(body: bytes, headers: dict[str, str], value: object, request_of: Any) -> None:
    scope = await build_scope(request_of(body=body, headers=headers), frozenset({"body"}))
    assert scope["body"] == value


@pytest.mark.parametrize(
    "body,headers,kind",
    [
        (b"{", JSON, BadRequest),
        (b"[" * 100_000, JSON, BadRequest),
        (b"\xff", {"Content-Type": "application/x-www-form-urlencoded"}, BadRequest),
        (b"<a/>", {"Content-Type": "text/xml"}, UnsupportedMediaType),
    ],
)
async def test_a_body_that_cannot_be_read_is_the_clients_fault(
    body: bytes, headers: dict[str, str], kind: type[BadRequest], request_of: Any
) -> None:
    with pytest.raises(kind) as refused:
        await build_scope(request_of(body=body, headers=headers), frozenset({"body"}))
    assert 400 <= refused.value.status < 500


async def test_a_cookie_header_that_cannot_be_read_is_no_cookie(request_of: Any) -> None:
    scope = await build_scope(request_of(headers={"Cookie": "\x00=;;="}), frozenset({"cookies"}))
    assert scope["cookies"] == {}


async def test_a_body_is_read_within_the_limit_of_its_route(request_of: Any) -> None:
    limits: list[int] = []

    async def read_body(limit: int) -> bytes:
        limits.append(limit)
        return b"1"

    request = request_of()
    request.read_body = read_body
    request.max_body = 321
    assert (await build_scope(request, frozenset({"body"})))["body"] == 1
    assert limits == [321]
