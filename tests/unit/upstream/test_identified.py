import asyncio
from typing import Any

import pytest

from proxy.plan.identity import IdentityPlan, SignaturePlan
from proxy.upstream import identified as identified_module
from proxy.upstream.exchange import Arrived, Cancel, Done, StreamedResponse, UpstreamRequest, UpstreamResponse
from proxy.upstream.identified import Identified


class Way:
    """Answers with the statuses of the test in turn; keeps the headers that came."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses or (200,))
        self.came: list[list[tuple[str, str]]] = []
        self.closed = 0

    def _answer(self, request: UpstreamRequest) -> UpstreamResponse:
        self.came.append(request.headers)
        return UpstreamResponse.of(self.statuses.pop(0), {}, b"")

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        return self._answer(request)

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        way = self

        class Closing(Arrived):
            def close(self) -> None:
                way.closed += 1

        return Closing(self._answer(request))

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        asyncio.get_running_loop().call_soon(done, self._answer(request))
        return lambda: None


class Held:
    """Tokens t1, t2 …: each is refused if the test lets it be."""

    def __init__(self, has_one: bool = True, replaced: bool = True) -> None:
        self.number = 1
        self.has_one = has_one
        self.replaced = replaced

    @property
    def current(self) -> str | None:
        return f"t{self.number}" if self.has_one else None

    async def get(self) -> str:
        self.has_one = True
        return f"t{self.number}"

    def refuse(self, token: str) -> bool:
        if self.replaced:
            self.number += 1
        return self.replaced


def made(way: Way, tokens: Held | None = None, **plan: Any) -> Identified:
    any_tokens: Any = tokens
    return Identified(way, IdentityPlan(**plan), "https", any_tokens)


def request(*headers: tuple[str, str], **changes: Any) -> UpstreamRequest:
    given: dict[str, Any] = {"method": "POST", "target": "/a?b", "headers": list(headers), "body": None, "max_body": 9}
    return UpstreamRequest(**{**given, **changes})


async def begun(way: Identified, sent: UpstreamRequest) -> Any:
    done = asyncio.get_running_loop().create_future()
    way.begin(sent, done.set_result)
    return await done


async def asked(way: Identified, how: str, sent: UpstreamRequest) -> Any:
    if how == "begin":
        return await begun(way, sent)
    return await (way.send(sent) if how == "send" else way.open(sent))


WAYS = pytest.mark.parametrize("how", ["begin", "send", "open"])


@WAYS
async def test_what_is_ours_takes_the_place_of_what_came(how: str) -> None:
    way, headers = Way(), [("x-key", "forged"), ("X-KEY", "forged"), ("X-A", "1")]
    sent = request(*headers)
    await asked(made(way, headers=(("X-Key", "ours"),)), how, sent)
    assert way.came == [[("X-A", "1"), ("X-Key", "ours")]]
    assert headers[0] == ("x-key", "forged")


@WAYS
@pytest.mark.parametrize("has_one", [True, False])
async def test_a_token_goes_along_also_where_it_has_to_be_got_first(how: str, has_one: bool) -> None:
    way = Way()
    token: Any = object()
    await asked(made(way, Held(has_one), token=token), how, request(("Authorization", "Bearer client")))
    assert way.came == [[("Authorization", "Bearer t1")]]


@WAYS
async def test_a_token_that_is_refused_is_replaced_once(how: str) -> None:
    way = Way(401, 401, 200)
    token: Any = object()
    answer = await asked(made(way, Held(), token=token), how, request())
    assert answer.status == 401
    assert way.came == [[("Authorization", "Bearer t1")], [("Authorization", "Bearer t2")]]
    assert way.closed == (1 if how == "open" else 0)


@WAYS
async def test_a_401_that_another_token_would_not_mend_is_the_answer(how: str) -> None:
    way = Way(401)
    token: Any = object()
    assert (await asked(made(way, Held(replaced=False), token=token), how, request())).status == 401


async def test_a_body_that_has_gone_is_not_sent_again() -> None:
    way = Way(401)
    token: Any = object()
    stream: Any = object()
    assert (await made(way, Held(), token=token).open(request(stream=stream))).status == 401
    assert len(way.came) == 1


async def test_a_request_that_waits_for_a_token_can_be_cancelled() -> None:
    class Never(Held):
        async def get(self) -> str:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

    way, token = Way(), object()
    any_token: Any = token
    cancel = made(way, Never(has_one=False), token=any_token).begin(request(), lambda answer: None)
    await asyncio.sleep(0)
    ended = cancel()
    assert ended is not None
    await asyncio.gather(ended, return_exceptions=True)
    assert way.came == []


async def test_what_is_sent_is_what_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identified_module, "unix_seconds", lambda: 7.9)
    bases: list[bytes] = []

    def sign(base: bytes) -> bytes:
        bases.append(base)
        return b"signed"

    covers = ("@method", "@path", "@authority", "x-a", "content-digest")
    plan = SignaturePlan(key_id="us", covers=covers, authority="u:80", base_path="/base", secret="", sign=sign)
    way = Way(200, 200)
    identified = made(way, headers=(("X-A", "ours"),), signature=plan)
    await identified.send(request(("X-A", "client"), ("Signature", "forged"), body=b"{}"))
    await identified.send(request(("Host", "Shop"), body=None))
    assert bases[0].decode().splitlines() == [
        '"@method": POST',
        '"@path": /base/a',
        '"@authority": u:80',
        '"x-a": ours',
        '"content-digest": sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:',
        '"@signature-params": ("@method" "@path" "@authority" "x-a" "content-digest");created=7;keyid="us"',
    ]
    assert '"@authority": shop' in bases[1].decode()
    assert "content-digest" not in bases[1].decode()
    assert [name for name, _ in way.came[0]] == ["X-A", "Content-Digest", "Signature-Input", "Signature"]
    assert way.came[0][-1] == ("Signature", "sig=:c2lnbmVk:")
