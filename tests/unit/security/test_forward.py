import asyncio
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import UpstreamStatus, UpstreamTimeout, UpstreamUnreachable
from proxy.plan.auth import ForwardPlan
from proxy.policy.jws import TokenRefused
from proxy.security.credentials import AnsweredInstead
from proxy.security.forward import forward
from proxy.testing.virtual import run_virtually
from proxy.upstream.exchange import Head, UpstreamRequest, UpstreamResponse


class Upstream:
    """Answers what the test says, and keeps what it was asked."""

    def __init__(self, answer: UpstreamResponse | Exception | None) -> None:
        self.answer = answer
        self.asked: list[UpstreamRequest] = []

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        self.asked.append(request)
        if self.answer is None:
            await asyncio.get_running_loop().create_future()
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None
        return self.answer


class Host:
    def __init__(self, host: str | None) -> None:
        self._host = host

    def host_for(self, asked: str) -> str | None:
        return self._host


def answer(status: int, *fields: tuple[str, str], body: bytes = b"") -> UpstreamResponse:
    return UpstreamResponse(Head(status, [(name.encode(), value.encode()) for name, value in fields]), body)


def made(said: Any, host: str | None = None, **changes: Any) -> tuple[Any, Upstream, list[Any]]:
    plan: dict[str, Any] = {
        "name": "sso",
        "upstream": "iam",
        "target": "/verify",
        "asks": ("Authorization", "Cookie"),
        "passes": (),
        "tells": (),
        "claims": (),
        "timeout_s": 5.0,
        **changes,
    }
    upstream, events = Upstream(said), []
    upstream_plan: Any = Host(host)
    client: Any = upstream
    return forward(ForwardPlan(**plan), client, upstream_plan, events.append), upstream, events


async def test_it_is_told_what_was_asked_for_and_sees_no_header_but_the_listed(request_of: Any) -> None:
    identify, upstream, _ = made(answer(204), host="iam.internal")
    request = request_of(("Authorization", "Bearer x"), ("X-Secret", "1"), ("X-Forwarded-User", "root"))
    request.path, request.query, request.has_query = "/a/b", "c=d", True
    assert await identify(request) == {}
    assert upstream.asked[0].target == "/verify"
    assert upstream.asked[0].headers == [
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", request.host),
        ("X-Forwarded-Uri", "/a/b?c=d"),
        ("X-Forwarded-For", request.client_ip),
        ("X-Request-Id", request.id),
        ("Host", "iam.internal"),
        ("Authorization", "Bearer x"),
    ]


async def test_what_it_says_of_the_way_is_not_the_clients_word(request_of: Any) -> None:
    identify, upstream, _ = made(answer(200), asks=("X-Forwarded-For", "x-forwarded-uri"))
    await identify(request_of(("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Uri", "/public")))
    names = [name.lower() for name, _ in upstream.asked[0].headers]
    assert sorted(names) == sorted(set(names))
    assert "6.6.6.6" not in str(upstream.asked[0].headers)


async def test_a_credential_that_stands_twice_is_refused_unasked(request_of: Any) -> None:
    identify, upstream, _ = made(answer(200))
    with pytest.raises(TokenRefused):
        await identify(request_of(("Authorization", "a"), ("Authorization", "b")))
    assert upstream.asked == []


async def test_claims_are_what_its_headers_say(request_of: Any) -> None:
    claims = (("sub", "Remote-User"), ("groups", "remote-groups"), ("mail", "Remote-Mail"))
    said = answer(200, ("Remote-User", "ann"), ("Remote-Groups", "a"), ("Remote-Groups", "b"))
    identify, _, _ = made(said, claims=claims)
    assert await identify(request_of()) == {"sub": "ann", "groups": "a, b"}


async def test_its_headers_take_the_place_of_the_clients_in_every_spelling(request_of: Any) -> None:
    identify, _, _ = made(answer(200, ("X-User", "ann"), ("X-Other", "no")), passes=("X-User", "X-Role"))
    request = request_of(
        ("x-user", "root"), ("X_User", "root"), ("X-Role", "admin"), ("Connection", "keep-alive, X-User"), ("X-A", "1")
    )
    await identify(request)
    assert dict(request.headers) == {"Connection": "keep-alive", "X-A": "1", "X-User": "ann"}


async def test_the_client_gets_what_is_listed(request_of: Any) -> None:
    fields = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Other", "no")]
    identify, _, _ = made(answer(200, *fields), tells=("Set-Cookie",))
    request = request_of()
    await identify(request)
    assert request.told == fields[:2]


@pytest.mark.parametrize("status,code", [(401, "unauthorized"), (403, "forbidden"), (302, None), (429, None)])
async def test_what_it_answers_instead_is_for_the_client(status: int, code: str | None, request_of: Any) -> None:
    fields = [("Location", "/login"), ("Cache-Control", "max-age=60"), ("Connection", "X-A"), ("X-A", "1")]
    identify, _, events = made(answer(status, *fields, body=b"page"))
    with pytest.raises(AnsweredInstead) as instead:
        await identify(request_of())
    response = instead.value.response
    assert (response.status, response.body, response.error) == (status, b"page", code)
    assert response.headers == CIMultiDict({"Location": "/login", "Cache-Control": "no-store"})
    assert [(event.call, event.status, event.error) for event in events] == [("auth:sso", status, None)]


@pytest.mark.parametrize(
    "said,kind,status", [(answer(500), UpstreamStatus, 500), (UpstreamUnreachable("no"), UpstreamUnreachable, 0)]
)
async def test_its_failure_lets_nobody_in_and_is_told(said: Any, kind: Any, status: int, request_of: Any) -> None:
    identify, _, events = made(said)
    request = request_of()
    with pytest.raises(kind) as failed:
        await identify(request)
    assert failed.value.call == "auth:sso"
    assert [(event.upstream, event.status, event.error) for event in events] == [("iam", status, failed.value.code)]
    assert [(record.name, record.status) for record in request.calls] == [("auth:sso", status)]


def test_it_has_its_time(request_of: Any) -> None:
    async def ask() -> None:
        identify, _, _ = made(None, timeout_s=3.0)
        with pytest.raises(UpstreamTimeout, match="within 3 s"):
            await identify(request_of())

    run_virtually(ask())
