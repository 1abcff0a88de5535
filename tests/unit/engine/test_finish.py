import gzip
import threading
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.engine.codings import Coding, compress_gzip
from proxy.engine.finish import THREAD_SIZE, add_vary, entity_tag, finishing
from proxy.message import Request, Response

GZIP = {"gzip": Coding("gzip", compress_gzip)}
LONG = b'{"name":"Ann"}' * 100
TAG = entity_tag(b"{}")


def make(body: bytes = b"{}", status: int = 200, **changes: Any) -> Response:
    headers = CIMultiDict({"Content-Type": "application/json", **changes.pop("headers", {})})
    return Response(status, headers, body, **changes)


async def finish(response: Response, request: Request, *, etag: bool = True, codings: Any = GZIP) -> Response:
    async def answer(request: Request) -> Response:
        return response

    layer = finishing(etag=etag, codings=codings)
    assert layer is not None
    return await layer(answer)(request)


def test_there_is_no_layer_where_there_is_nothing_to_do() -> None:
    assert finishing(etag=False, codings={}) is None


def test_equal_bodies_have_one_strong_tag_and_others_another() -> None:
    assert len(TAG) == 34
    assert TAG == entity_tag(b"{}") != entity_tag(b"[]")


@pytest.mark.parametrize(
    "method,status,partial,tagged",
    [
        ("GET", 200, (), True),
        ("HEAD", 200, (), True),
        ("POST", 200, (), False),
        ("GET", 201, (), False),
        ("GET", 200, ("a",), False),
    ],
)
async def test_only_whole_answers_to_reading_requests_have_a_tag(
    method: str, status: int, partial: tuple[str, ...], tagged: bool, request_of: Any
) -> None:
    request = request_of(method=method, headers={"If-None-Match": "*"} if not tagged else {})
    response = await finish(make(status=status, partial=partial), request)
    assert response.status == status
    assert response.headers.get("ETag") == (TAG if tagged else None)


@pytest.mark.parametrize(
    "field,status",
    [
        (TAG, 304),
        (f"W/{TAG}", 304),
        (f'"other", W/"x,y" , {TAG}', 304),
        (" * ", 304),
        ('"other"', 200),
        (TAG.strip('"'), 200),
        ("", 200),
        ('"*"', 200),
        (f'"{TAG}', 200),
    ],
)
async def test_a_client_that_has_the_answer_gets_304(field: str, status: int, request_of: Any) -> None:
    response = await finish(make(), request_of(headers={"If-None-Match": field}))
    assert response.status == status


async def test_a_304_has_the_headers_that_caches_need_and_none_of_the_body(request_of: Any) -> None:
    about = {"Cache-Control": "max-age=5", "Vary": "Accept-Language", "X-Mine": "1", "Content-Language": "de"}
    response = await finish(make(LONG, headers=about), request_of(headers={"If-None-Match": entity_tag(LONG)}))
    assert (response.status, response.body) == (304, b"")
    assert dict(response.headers) == {
        "ETag": entity_tag(LONG),
        "Cache-Control": "max-age=5",
        "Vary": "Accept-Language, Accept-Encoding",
        "X-Mine": "1",
    }


async def test_a_304_has_the_tag_that_the_compressed_answer_would_have_had(request_of: Any) -> None:
    asked = {"If-None-Match": f"W/{entity_tag(LONG)}", "Accept-Encoding": "gzip"}
    response = await finish(make(LONG), request_of(headers=asked))
    assert (response.status, response.headers["ETag"]) == (304, f"W/{entity_tag(LONG)}")


async def test_a_tag_that_the_route_writes_stands(request_of: Any) -> None:
    response = await finish(make(headers={"ETag": '"mine"'}), request_of(headers={"If-None-Match": '"mine"'}))
    assert (response.status, response.headers["ETag"]) == (304, '"mine"')


async def test_a_compressed_answer_says_so_and_has_a_weak_tag(request_of: Any) -> None:
    response = await finish(make(LONG), request_of(headers={"Accept-Encoding": "br, gzip"}))
    assert gzip.decompress(response.body) == LONG
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["ETag"] == f"W/{entity_tag(LONG)}"


async def test_a_written_tag_becomes_weak_even_where_tags_are_off(request_of: Any) -> None:
    request = request_of(headers={"Accept-Encoding": "gzip", "If-None-Match": "*"})
    response = await finish(make(LONG, headers={"ETag": '"mine"'}), request, etag=False)
    assert (response.status, response.headers["ETag"]) == (200, 'W/"mine"')
    weak = await finish(make(LONG, headers={"ETag": 'W/"mine"'}), request, etag=False)
    assert weak.headers["ETag"] == 'W/"mine"'


async def test_a_client_that_asks_for_no_coding_learns_that_there_are_some(request_of: Any) -> None:
    response = await finish(make(LONG), request_of())
    assert (response.body, response.headers.get("Content-Encoding")) == (LONG, None)
    assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "response",
    [
        make(b"x" * 1023),
        make(LONG, headers={"Content-Type": "image/png"}),
        make(LONG, headers={"Content-Encoding": "br"}),
        make(LONG, headers={"Cache-Control": "No-Transform"}),
    ],
    ids=["short", "not text", "has a coding", "no-transform"],
)
async def test_what_is_not_worth_it_or_not_wanted_is_left_alone(response: Response, request_of: Any) -> None:
    body, coding = response.body, response.headers.get("Content-Encoding")
    finished = await finish(response, request_of(headers={"Accept-Encoding": "gzip"}))
    assert (finished.body, finished.headers.get("Content-Encoding")) == (body, coding)
    assert "Vary" not in finished.headers


@pytest.mark.parametrize("size,in_thread", [(THREAD_SIZE, False), (THREAD_SIZE + 1, True)])
async def test_long_bodies_are_compressed_beside_the_loop(size: int, in_thread: bool, request_of: Any) -> None:
    threads = []

    def compress(body: bytes) -> bytes:
        threads.append(threading.current_thread())
        return b"packed"

    codings = {"gzip": Coding("gzip", compress)}
    response = await finish(make(b"x" * size), request_of(headers={"Accept-Encoding": "gzip"}), codings=codings)
    assert response.body == b"packed"
    assert (threads[0] is not threading.current_thread()) is in_thread


@pytest.mark.parametrize(
    "before,names,after",
    [
        (None, [], None),
        (None, ["A", "b"], "A, b"),
        ("accept-encoding", ["Accept-Encoding"], "accept-encoding"),
        ("A,, B", ["C"], "A, B, C"),
        ("A", ["*"], "*"),
        ("*", ["A"], "*"),
    ],
)
def test_vary_names_each_header_once(before: str | None, names: list[str], after: str | None) -> None:
    headers = CIMultiDict({} if before is None else {"Vary": before})
    add_vary(headers, *names)
    assert headers.get("Vary") == after
