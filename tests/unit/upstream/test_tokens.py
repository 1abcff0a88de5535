import asyncio
import logging
from typing import Any

import pytest

from proxy.errors import TokenUnavailable
from proxy.fetching import NotFetched
from proxy.plan.identity import TokenPlan
from proxy.upstream import tokens as tokens_module
from proxy.upstream.tokens import Tokens

PLAN = TokenPlan(url="https://idp/token", form=(("grant_type", "client_credentials"),), client=("me", "s3cret"))
GOOD = b'{"access_token": "t1", "token_type": "Bearer", "expires_in": 100}'


class World:
    """An endpoint for tokens; the test says when, and what, it answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.answer: bytes | Exception = GOOD
        self.asked: list[Any] = []
        self.go_on: asyncio.Event | None = None
        monkeypatch.setattr(tokens_module, "fetch", self.fetch)
        self.tokens = Tokens(PLAN, "orders", lambda: self.now)

    async def fetch(self, *given: Any) -> bytes:
        self.asked.append(given)
        if self.go_on is not None:
            await self.go_on.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_is_got_when_it_is_needed_and_kept(world: World) -> None:
    assert world.tokens.current is None
    assert await world.tokens.get() == "t1"
    assert world.tokens.current == "t1"
    assert world.asked == [("https://idp/token", {"grant_type": "client_credentials"}, ("me", "s3cret"))]


async def test_a_thousand_who_need_one_get_the_same(world: World) -> None:
    world.go_on = asyncio.Event()
    waiting = [asyncio.get_running_loop().create_task(world.tokens.get()) for _ in range(1000)]
    await settled()
    for task in waiting[::7]:
        task.cancel()
    world.go_on.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [one for one in found if not isinstance(one, asyncio.CancelledError)] == ["t1"] * 857
    assert len(world.asked) == 1


async def test_before_it_ends_it_is_renewed_beside_the_requests(world: World) -> None:
    await world.tokens.get()
    world.answer = GOOD.replace(b"t1", b"t2")
    world.now += 76
    assert world.tokens.current == "t1"
    await settled()
    assert world.tokens.current == "t2"
    assert len(world.asked) == 2


async def test_an_outage_of_the_issuer_is_felt_when_the_token_ends(world: World) -> None:
    await world.tokens.get()
    world.answer = OSError()
    world.now += 90
    assert await world.tokens.get() == "t1"
    await settled()
    world.now += 6
    with pytest.raises(TokenUnavailable):
        await world.tokens.get()


async def test_during_an_outage_not_every_request_asks(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    world.answer = NotFetched("status 500", 500)
    for _ in range(10):
        with pytest.raises(TokenUnavailable) as failed:
            await world.tokens.get()
    assert len(world.asked) == 1
    assert [record.message for record in caplog.records] == ["no token for upstream orders: status 500"]
    assert "idp" not in f"{failed.value.detail}{caplog.text}"
    world.answer, world.now = GOOD, world.now + 1.1
    assert await world.tokens.get() == "t1"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"access_token": "", "token_type": "bearer"}',
        b'{"access_token": 5, "token_type": "bearer"}',
        b'{"access_token": "a\\r\\nX: 1", "token_type": "bearer"}',
        b'{"access_token": "a b", "token_type": "bearer"}',
        b'{"access_token": "a"}',
        b'{"access_token": "a", "token_type": "mac"}',
        b'{"access_token": "a", "token_type": "bearer", "expires_in": 0}',
        b'{"access_token": "a", "token_type": "bearer", "expires_in": "soon"}',
        b'{"access_token": "a", "token_type": "bearer", "expires_in": 1e999}',
        b'{"access_token": "a", "token_type": "bearer", "expires_in": null}',
    ],
)
async def test_what_is_no_token_is_none(answer: bytes, world: World) -> None:
    world.answer = answer
    with pytest.raises(TokenUnavailable):
        await world.tokens.get()


async def test_one_that_does_not_say_for_how_long_is_good_for_a_minute(world: World) -> None:
    world.answer = b'{"access_token": "a", "token_type": "bearer"}'
    await world.tokens.get()
    world.now += 58
    assert world.tokens.current is None


async def test_one_that_is_refused_is_thrown_away_unless_it_is_young(world: World) -> None:
    await world.tokens.get()
    assert not world.tokens.refuse("t1")
    world.now += 5
    assert world.tokens.refuse("t1")
    assert world.tokens.current is None
    assert world.tokens.refuse("t1")  # by then there is another one, or will be


async def test_closing_ends_what_is_under_way(world: World) -> None:
    world.go_on = asyncio.Event()
    waiting = asyncio.get_running_loop().create_task(world.tokens.get())
    await settled()
    await world.tokens.close()
    assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], BaseException)
