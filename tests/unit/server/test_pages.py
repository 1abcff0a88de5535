from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import BadRequest, UpstreamBusy, UpstreamUnreachable
from proxy.loading import load
from proxy.message import BodyStream, Request, Response
from proxy.server.pages import error_pages
from proxy.service import Service


def paged(tmp_path: Path, pages: str, answer: Response | Exception) -> Service:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {u: http://u}\n"
        f"routes: [{{name: a, match: '/{{rest:path}}', proxy: u, error_pages: {pages}}}]\n"
    )
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None

    async def inner(request: Request) -> Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return error_pages(plan.routes[0].error_pages)(inner)


class Stream(BodyStream):
    length = None
    closed = 0

    def close(self) -> None:
        self.closed += 1


async def test_an_answer_without_a_page_stays_what_it_is(tmp_path: Path, request_of: Any) -> None:
    answer = Response(404, body=b"theirs")
    assert await paged(tmp_path, "{5xx: {body: ours}}", answer)(request_of("/")) is answer


async def test_an_upstreams_body_is_let_go_of_and_its_call_told_of(tmp_path: Path, request_of: Any) -> None:
    stream = Stream()
    ended: list[int] = []
    answer = Response(503, stream=stream, close=True)
    answer.at_end(lambda: ended.append(1))
    response = await paged(tmp_path, "{5xx: {body: 'sorry ${error.status} ${error.code}'}}", answer)(request_of("/"))
    assert (response.status, response.body, response.stream) == (503, b"sorry 503 upstream_status", None)
    assert (stream.closed, ended, response.close) == (1, [1], True)


async def test_headers_of_an_answer_stay_but_for_those_of_its_body(tmp_path: Path, request_of: Any) -> None:
    headers = CIMultiDict(
        [
            ("Content-Type", "text/html"),
            ("Content-Encoding", "gzip"),
            ("ETag", '"x"'),
            ("Cache-Control", "public"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("WWW-Authenticate", "Basic"),
            ("X-Powered-By", "them"),
        ]
    )
    pages = "{'401': {headers: {X-Powered-By: us}, body: {code: $.error.code}}}"
    response = await paged(tmp_path, pages, Response(401, headers, b"x"))(request_of("/"))
    assert list(response.headers.items()) == [
        ("Cache-Control", "no-store"),
        ("Content-Type", "application/json"),
        ("X-Powered-By", "us"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("WWW-Authenticate", "Basic"),
    ]
    assert response.body == b'{"code":"upstream_status"}'


async def test_an_error_of_the_gateway_becomes_a_page_and_keeps_its_code_for_the_log(
    tmp_path: Path, request_of: Any
) -> None:
    error = UpstreamBusy("all are taken", headers={"Retry-After": "7"})
    pages = "{'503': {status: 200, headers: {Cache-Control: max-age=5}, body: '${error.detail}'}}"
    response = await paged(tmp_path, pages, error)(request_of("/"))
    assert (response.status, response.body, response.error) == (200, b"all are taken", "upstream_busy")
    assert dict(response.headers) == {
        "Cache-Control": "max-age=5",
        "Content-Type": "text/plain; charset=utf-8",
        "Retry-After": "7",
    }


async def test_an_error_without_a_page_is_raised(tmp_path: Path, request_of: Any) -> None:
    with pytest.raises(UpstreamUnreachable):
        await paged(tmp_path, "{'404': {}}", UpstreamUnreachable("gone"))(request_of("/"))


async def test_a_page_without_a_body_is_empty(tmp_path: Path, request_of: Any) -> None:
    response = await paged(tmp_path, "{4xx: {status: 404}}", Response(403, body=b"secret"))(request_of("/"))
    assert (response.status, response.body, "Content-Type" in response.headers) == (404, b"", False)


async def test_a_request_that_cannot_be_read_has_its_page_without_it(tmp_path: Path, request_of: Any) -> None:
    pages = "{'400': {headers: {X-Q: $.query.q}, body: 'q=${query.q}'}}"
    response = await paged(tmp_path, pages, BadRequest("no"))(request_of("/?q=%ff"))
    assert (response.body, "X-Q" in response.headers) == (b"q=", False)


async def test_a_value_that_cannot_stand_in_a_header_leaves_it_out(tmp_path: Path, request_of: Any) -> None:
    pages = "{'404': {headers: {X-Q: $.query.q, X-P: $.request.path}, body: 1}}"
    response = await paged(tmp_path, pages, Response(404))(request_of("/p?q=a%0d%0ab"))
    assert ("X-Q" in response.headers, response.headers["X-P"]) == (False, "/p")


@pytest.mark.parametrize("body,expected", [("'a ${headers.x-a}'", b"a ?"), ("{a: $.headers.x-a}", b"null")])
async def test_bytes_that_are_no_text_do_not_spoil_a_page(
    body: str, expected: bytes, tmp_path: Path, request_of: Any
) -> None:
    request = request_of("/", headers={"Host": "a", "X-A": "\udce9"})
    response = await paged(tmp_path, f"{{'404': {{body: {body}}}}}", Response(404))(request)
    assert (response.status, response.body) == (404, expected)
