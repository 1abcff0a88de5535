import asyncio
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import BodyTooLarge, DeadlineExceeded, ExtractionFailed, UpstreamUnreachable
from proxy.events import CallFinished
from proxy.loading import load
from proxy.message import BodyStream
from proxy.server.passthrough import passthrough_action
from proxy.testing.virtual import run_virtually
from proxy.upstream.exchange import Arrived, Head, StreamedResponse, UpstreamRequest, UpstreamResponse


class Upstream:
    """Answers with what the test gave it and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[UpstreamRequest] = []
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.failure: Exception | None = None
        self.silent = False
        self.sends = True
        self.status = 206
        self.trailers: list[tuple[str, str]] = []
        self.answer: StreamedResponse | None = None

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        self.sent.append(request)
        if self.failure is not None:
            raise self.failure
        if self.sends and request.sent is not None:
            request.sent()
        if self.silent:
            await asyncio.Event().wait()
        answer = UpstreamResponse.of(self.status, self.headers, b"body")
        return self.answer or Arrived(answer, self.trailers)


class Passing:
    def __init__(
        self, tmp_path: Path, proxy: str = "{to: u}", upstream: str = "{urls: ['http://u']}", timeout: str = "5s"
    ) -> None:
        (tmp_path / "routes.yaml").write_text(
            f"version: 1\nupstreams: {{u: {upstream}}}\n"
            f"routes: [{{name: a, match: '/{{rest:path}}', timeout: {timeout}, proxy: {proxy}}}]\n"
        )
        plan = load(str(tmp_path / "routes.yaml"), {}).plan
        assert plan is not None
        self.upstream = Upstream()
        self.events: list[Any] = []
        route: Any = plan.routes[0]
        self.action = passthrough_action(
            route, route.action, self.upstream, plan.upstreams["u"], plan.server, self.events.append
        )


async def test_path_query_and_body_go_as_they_came(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    await passing.action(request_of("/a%2Fb/%7E?x=%zz&y=a+b", body=b"data", method="POST"))
    (sent,) = passing.upstream.sent
    assert (sent.method, sent.target, sent.body) == ("POST", "/a%2Fb/%7E?x=%zz&y=a+b", b"data")


@pytest.mark.parametrize("method,status", [("OPTIONS", 204), ("TRACE", 405)])
async def test_a_request_that_may_go_no_further_is_answered_here(
    method: str, status: int, tmp_path: Path, request_of: Any
) -> None:
    passing = Passing(tmp_path)
    response = await passing.action(request_of("/", method=method, headers={"Host": "a", "Max-Forwards": "0"}))
    assert (response.status, passing.upstream.sent) == (status, [])
    assert response.headers["Allow"] == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


async def test_an_empty_query_keeps_its_question_mark(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    await passing.action(request_of("/a?"))
    assert passing.upstream.sent[0].target == "/a?"


async def test_an_answer_comes_as_it_is_but_for_one_hops_headers(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    passing.upstream.headers.extend(
        [
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Connection", "close, X-Hop"),
            ("X-Hop", "no"),
            ("Content-Length", "4"),
        ]
    )
    response = await passing.action(request_of("/"))
    assert (response.status, response.body) == (206, b"body")
    assert list(response.headers.items()) == [
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Via", "1.1 proxy-composer"),
    ]


async def test_the_length_of_an_answer_to_head_is_kept(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    passing.upstream.headers["Content-Length"] = "1000"
    response = await passing.action(request_of("/", method="HEAD"))
    assert response.headers["Content-Length"] == "1000"


async def test_rules_change_path_and_headers_both_ways(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(
        tmp_path,
        "{to: u, path: {strip_prefix: /api}, headers: {request: {set: {X-User: '$.query.u'}, remove: [Cookie]}, "
        "response: {add: {X-B: '2'}, remove: [Server]}}}",
    )
    passing.upstream.headers.extend([("Server", "x"), ("X-B", "1")])
    given = {"Host": "a", "Cookie": "s=1", "X-User": "forged"}
    response = await passing.action(request_of("/api/x?u=ann", headers=given))
    (sent,) = passing.upstream.sent
    assert sent.target == "/x?u=ann"
    assert [value for name, value in sent.headers if name == "X-User"] == ["ann"]
    assert "Cookie" not in dict(sent.headers)
    assert response.headers.getall("X-B") == ["1", "2"]
    assert "Server" not in response.headers


async def test_a_failure_is_raised_and_reported(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    passing.upstream.failure = UpstreamUnreachable("gone")
    request = request_of("/")
    with pytest.raises(UpstreamUnreachable):
        await passing.action(request)
    (event,) = passing.events
    assert isinstance(event, CallFinished)
    assert (event.status, event.error) == (0, "upstream_unreachable")
    assert [record.error for record in request.calls] == ["upstream_unreachable"]


async def test_the_routes_time_is_the_upstreams_too(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path, timeout="20ms")
    passing.upstream.silent = True
    with pytest.raises(DeadlineExceeded):
        await passing.action(request_of("/"))
    assert [event.error for event in passing.events] == ["deadline_exceeded"]


class Later(StreamedResponse):
    """An answer whose body is still to come."""

    def __init__(self, length: int | None = None, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        super().__init__(Head(200, headers or []))
        self.length = length
        self.closed = False

    @property
    def whole(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        return b""

    def close(self) -> None:
        self.closed = True


async def test_an_answer_that_is_still_to_come_is_streamed_and_told_of_when_it_has_ended(
    tmp_path: Path, request_of: Any
) -> None:
    passing = Passing(tmp_path)
    passing.upstream.answer = answer = Later(7, [(b"Content-Length", b"7"), (b"Trailer", b"X-Sum")])
    request = request_of("/")
    response = await passing.action(request)
    assert (response.stream, response.body) == (answer, b"")
    assert list(response.headers.items()) == [("Via", "1.1 proxy-composer")]
    assert (passing.events, request.calls) == ([], [])
    response.error = "client_gone"
    response.end()
    assert answer.closed
    assert [(event.status, event.error) for event in passing.events] == [(200, "client_gone")]
    assert [(record.status, record.error) for record in request.calls] == [(200, "client_gone")]


async def test_an_answer_whose_headers_cannot_be_made_is_closed_and_told_of(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path, "{to: u, headers: {response: {set: {X-A: '${headers.x-none}'}}}}")
    passing.upstream.answer = answer = Later()
    with pytest.raises(ExtractionFailed):
        await passing.action(request_of("/"))
    assert answer.closed
    assert [(event.status, event.error) for event in passing.events] == [(200, "missing_value")]


async def test_the_names_of_trailers_pass_where_trailers_can(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    passing.upstream.answer = Later(None, [(b"Trailer", b"X-Sum")])
    response = await passing.action(request_of("/", headers={"Host": "a", "TE": "gzip, trailers;q=1"}))
    assert response.headers["Trailer"] == "X-Sum"
    sent = dict(passing.upstream.sent[0].headers)
    assert (sent["TE"], sent["Connection"]) == ("trailers", "TE")


async def test_an_answer_with_trailers_is_streamed_though_it_is_here(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    passing.upstream.trailers = [("X-Sum", "1")]
    response = await passing.action(request_of("/"))
    assert response.stream is not None
    assert response.stream.trailers == [("X-Sum", "1")]


class Body(BodyStream):
    length = 100_000

    async def read(self) -> bytes:
        return b""


async def opened(limit: int) -> BodyStream:
    return Body()


async def test_a_body_that_is_still_to_come_is_sent_as_it_comes(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    response = await passing.action(request_of("/", method="POST", open_body=opened))
    (sent,) = passing.upstream.sent
    assert (isinstance(sent.stream, Body), sent.body) == (True, None)
    assert not response.close


async def test_a_body_over_the_limit_is_not_sent(tmp_path: Path, request_of: Any) -> None:
    async def refused(limit: int) -> BodyStream:
        raise BodyTooLarge(f"{limit}")

    passing = Passing(tmp_path)
    with pytest.raises(BodyTooLarge):
        await passing.action(request_of("/", open_body=refused))
    assert passing.upstream.sent == []


@pytest.mark.parametrize(
    "status,streamed,close", [(413, True, True), (413, False, True), (200, False, True), (200, True, False)]
)
async def test_after_a_body_that_was_not_wanted_the_clients_connection_is_closed(
    status: int, streamed: bool, close: bool, tmp_path: Path, request_of: Any
) -> None:
    passing = Passing(tmp_path)
    passing.upstream.sends = False
    passing.upstream.status = status
    if streamed:
        passing.upstream.answer = Later()
        passing.upstream.answer.head = Head(status, [])
    response = await passing.action(request_of("/", method="POST", open_body=opened))
    assert response.close is close


def test_the_routes_time_counts_from_the_end_of_the_body(tmp_path: Path, request_of: Any) -> None:
    async def work(sends: bool) -> None:
        passing = Passing(tmp_path, timeout="1s")
        passing.upstream.silent = True
        passing.upstream.sends = sends
        loop = asyncio.get_running_loop()
        request = request_of("/", open_body=opened, received_at=loop.time())
        passed = loop.create_task(passing.action(request))
        done, _ = await asyncio.wait([passed], timeout=60)
        assert bool(done) is sends
        passed.cancel()
        await asyncio.gather(passed, return_exceptions=True)
        assert len(passing.events) == 1

    run_virtually(work(True))
    run_virtually(work(False))


async def test_early_hints_pass_to_a_client_that_can_take_them(tmp_path: Path, request_of: Any) -> None:
    told: list[Any] = []
    passing = Passing(tmp_path)
    await passing.action(request_of("/", inform=lambda status, headers: told.append((status, dict(headers)))))
    inform = passing.upstream.sent[0].inform
    assert inform is not None
    inform(103, [(b"Link", b"</a.css>"), (b"Connection", b"X-Hop"), (b"X-Hop", b"1"), (b"Content-Length", b"3")])
    assert told == [(103, {"Link": "</a.css>"})]
    await passing.action(request_of("/"))
    assert passing.upstream.sent[1].inform is None
