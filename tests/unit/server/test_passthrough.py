import asyncio
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import DeadlineExceeded, UpstreamUnreachable
from proxy.events import CallFinished
from proxy.loading import load
from proxy.server.passthrough import passthrough_action
from proxy.upstream.exchange import UpstreamRequest, UpstreamResponse


class Upstream:
    """Answers with what the test gave it and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[UpstreamRequest] = []
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.failure: Exception | None = None
        self.silent = False

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        self.sent.append(request)
        if self.failure is not None:
            raise self.failure
        if self.silent:
            await asyncio.Event().wait()
        return UpstreamResponse.of(206, self.headers, b"body")


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
        self.action = passthrough_action(route, route.action, self.upstream, plan.upstreams["u"], self.events.append)


async def test_path_query_and_body_go_as_they_came(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    await passing.action(request_of("/a%2Fb/%7E?x=%zz&y=a+b", body=b"data", method="POST"))
    (sent,) = passing.upstream.sent
    assert (sent.method, sent.target, sent.body) == ("POST", "/a%2Fb/%7E?x=%zz&y=a+b", b"data")


async def test_an_empty_query_keeps_its_question_mark(tmp_path: Path, request_of: Any) -> None:
    passing = Passing(tmp_path)
    await passing.action(request_of("/a?"))
    assert passing.upstream.sent[0].target == "/a?"


async def test_headers_cross_but_for_one_hops_and_what_is_said_of_the_way_is_ours(
    tmp_path: Path, request_of: Any
) -> None:
    passing = Passing(tmp_path)
    given = CIMultiDict(
        [
            ("Host", "example.com"),
            ("Authorization", "Bearer x"),
            ("X-A", "1"),
            ("X-A", "2"),
            ("Connection", "X-Hop"),
            ("X-Hop", "no"),
            ("X-Forwarded-For", "6.6.6.6"),
            ("Forwarded", "for=6.6.6.6"),
            ("Content-Length", "4"),
        ]
    )
    await passing.action(request_of("/", headers=given))
    assert passing.upstream.sent[0].headers == [
        ("Authorization", "Bearer x"),
        ("X-A", "1"),
        ("X-A", "2"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "example.com"),
        ("X-Request-Id", "r1"),
        ("Via", "1.1 proxy-composer"),
    ]


@pytest.mark.parametrize(
    "host,sent", [("upstream", None), ("preserve", "example.com"), ("api.internal", "api.internal")]
)
async def test_the_host_is_the_upstreams_the_clients_or_a_name(
    host: str, sent: str | None, tmp_path: Path, request_of: Any
) -> None:
    passing = Passing(tmp_path, upstream=f"{{urls: ['http://u'], host: {host}}}")
    await passing.action(request_of("/"))
    assert dict(passing.upstream.sent[0].headers).get("Host") == sent


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
