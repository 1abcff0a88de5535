import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from proxy.errors import UpstreamTooLarge, UpstreamUnreachable
from proxy.loading import load
from proxy.message import BodyStream, Request
from proxy.server.mirror import AT_ONCE, Mirror, Tee
from proxy.testing.virtual import run_virtually
from proxy.upstream.exchange import Cancel, Done, UpstreamRequest, UpstreamResponse


class Shadow:
    """Keeps what it is sent; the test answers, or does not."""

    def __init__(self) -> None:
        self.sent: list[UpstreamRequest] = []
        self.done: list[Done] = []
        self.cancelled = 0
        self.failure: Exception | None = None

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        raise NotImplementedError

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        if self.failure is not None:
            raise self.failure
        self.sent.append(request)
        self.done.append(done)
        return self._cancel

    def _cancel(self) -> None:
        self.cancelled += 1


class Mirroring:
    def __init__(self, tmp_path: Path, mirror: str = "{to: s}", upstream: str = "urls: ['http://s']") -> None:
        (tmp_path / "routes.yaml").write_text(
            f"version: 1\nserver: {{id: edge}}\nupstreams: {{u: http://u, s: {{{upstream}}}}}\n"
            f"routes: [{{name: a, match: '/{{rest:path}}', proxy: {{to: u, mirror: {mirror}}}}}]\n"
        )
        plan = load(str(tmp_path / "routes.yaml"), {}).plan
        assert plan is not None
        action: Any = plan.routes[0].action
        self.shadow = Shadow()
        self.events: list[Any] = []
        self.mirror = Mirror(
            "a", action.mirror, self.shadow, plan.upstreams["s"], plan.server, self.events.append, Random(7)
        )

    @property
    def results(self) -> list[str]:
        return [event.result for event in self.events]


def outgoing(body: bytes | None = None, stream: BodyStream | None = None, **headers: str) -> UpstreamRequest:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return UpstreamRequest(
        method="POST", target="/v1/x?y", headers=pairs, body=body, max_body=0, stream=stream, inform=None
    )


OK = UpstreamResponse.of(200, {}, b"")


async def test_a_copy_is_sent_in_the_next_turn_and_its_answer_is_nobodys(tmp_path: Path, request_of: Any) -> None:
    one = Mirroring(tmp_path)
    one.mirror.copy(outgoing(b"data", X_A="1"), request_of("/"))
    assert one.shadow.sent == []
    await asyncio.sleep(0)
    (sent,) = one.shadow.sent
    assert (sent.method, sent.target, sent.body, sent.stream) == ("POST", "/v1/x?y", b"data", None)
    assert sent.headers == [("X-A", "1"), ("X-Mirrored", "edge")]
    assert one.mirror.under_way == 1
    one.shadow.done[0](OK)
    assert (one.results, one.mirror.under_way) == (["sent"], 0)


@pytest.mark.parametrize(
    "upstream,kept",
    [
        ("urls: ['http://s']", {"X-A": "1"}),
        ("urls: ['http://s'], forward_headers: [Cookie]", {"X-A": "1", "Cookie": "c"}),
        ("urls: ['http://s'], host: preserve", {"X-A": "1", "Host": "example.com"}),
        ("urls: ['http://s'], host: shadow.internal", {"X-A": "1", "Host": "shadow.internal"}),
    ],
)
async def test_credentials_stay_and_the_host_is_as_that_upstream_has_it(
    upstream: str, kept: dict[str, str], tmp_path: Path, request_of: Any
) -> None:
    one = Mirroring(tmp_path, upstream=upstream)
    given = outgoing(None, Host="u.internal", Authorization="Bearer x", X_A="1", Cookie="c", X_Mirrored="forged")
    one.mirror.copy(given, request_of("/"))
    await asyncio.sleep(0)
    assert dict(one.shadow.sent[0].headers) == {**kept, "X-Mirrored": "edge"}


async def test_a_share_of_the_requests_is_copied(tmp_path: Path, request_of: Any) -> None:
    one = Mirroring(tmp_path, "{to: s, share: 10%}")
    for _ in range(50):
        for _ in range(20):
            one.mirror.copy(outgoing(), request_of("/"))
        await asyncio.sleep(0)
        for done in one.shadow.done:
            done(OK)
        one.shadow.done.clear()
    assert 70 < len(one.shadow.sent) < 130
    assert set(one.results) == {"sent"}


async def test_no_more_than_so_many_are_under_way(tmp_path: Path, request_of: Any) -> None:
    one = Mirroring(tmp_path)
    for _ in range(AT_ONCE + 2):
        one.mirror.copy(outgoing(), request_of("/"))
    await asyncio.sleep(0)
    assert (len(one.shadow.sent), one.results) == (AT_ONCE, ["skipped", "skipped"])
    one.shadow.done[0](OK)
    one.mirror.copy(outgoing(), request_of("/"))
    await asyncio.sleep(0)
    assert len(one.shadow.sent) == AT_ONCE + 1


def test_a_copy_that_takes_too_long_is_given_up(tmp_path: Path, request_of: Any) -> None:
    one = Mirroring(tmp_path, "{to: s, timeout: 3s}")

    async def work() -> None:
        one.mirror.copy(outgoing(), request_of("/"))
        await asyncio.sleep(2)
        assert one.results == []
        await asyncio.sleep(2)

    run_virtually(work())
    assert (one.results, one.shadow.cancelled, one.mirror.under_way) == (["failed"], 1, 0)


@pytest.mark.parametrize(
    "answer,result",
    [(UpstreamUnreachable("gone"), "failed"), (UpstreamTooLarge("long"), "sent"), (ValueError("defect"), "failed")],
)
async def test_whether_it_was_answered_is_told(answer: Exception, result: str, tmp_path: Path, request_of: Any) -> None:
    one = Mirroring(tmp_path)
    one.mirror.copy(outgoing(), request_of("/"))
    await asyncio.sleep(0)
    one.shadow.done[0](answer)
    assert one.results == [result]


async def test_a_request_that_cannot_be_sent_is_a_failure_and_nothing_more(tmp_path: Path, request_of: Any) -> None:
    one = Mirroring(tmp_path)
    one.shadow.failure = ValueError("no such header")
    one.mirror.copy(outgoing(), request_of("/"))
    await asyncio.sleep(0)
    assert (one.results, one.mirror.under_way) == (["failed"], 0)


class Body(BodyStream):
    """A body in pieces."""

    def __init__(self, *pieces: bytes, length: int | None = None) -> None:
        self.pieces = [*pieces]
        self.length = length
        self.closed = False

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        self.closed = True

    @property
    def trailers(self) -> list[tuple[str, str]]:
        return [("X-Sum", "1")]


async def take(mirroring: Mirroring, request_of: Callable[..., Request], body: Body) -> bytes:
    given = outgoing(stream=body)
    mirroring.mirror.copy(given, request_of("/"))
    assert given.stream is not None
    assert given.stream.length == body.length
    taken = b"".join([piece async for piece in given.stream])
    await asyncio.sleep(0)
    return taken


async def test_a_body_that_is_still_to_come_is_copied_as_it_goes_by(tmp_path: Path, request_of: Any) -> None:
    one = Mirroring(tmp_path, "{to: s, max_body: 4B}")
    assert await take(one, request_of, Body(b"ab", b"cd", length=4)) == b"abcd"
    assert [sent.body for sent in one.shadow.sent] == [b"abcd"]
    assert await take(one, request_of, Body()) == b""
    assert [sent.body for sent in one.shadow.sent] == [b"abcd", None]


@pytest.mark.parametrize("length", [None, 5])
async def test_a_body_over_the_limit_is_not_copied(length: int | None, tmp_path: Path, request_of: Any) -> None:
    one = Mirroring(tmp_path, "{to: s, max_body: 4B}")
    assert await take(one, request_of, Body(b"ab", b"cd", b"e", length=length)) == b"abcde"
    one.mirror.copy(outgoing(b"abcde"), request_of("/"))
    await asyncio.sleep(0)
    assert (one.shadow.sent, one.results) == ([], ["skipped", "skipped"])


async def test_a_copied_body_is_closed_and_ends_as_the_one_that_it_is_made_from() -> None:
    body = Body(b"a")
    tee = Tee(body, 10, lambda whole: None, lambda: None)
    tee.close()
    assert (body.closed, tee.trailers) == (True, [("X-Sum", "1")])
