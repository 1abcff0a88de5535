import asyncio
from typing import Any

import pytest
from aiohttp import web

from proxy.background import Background
from proxy.security.keyring import KeyRing


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_keys_are_fetched_once_for_all_who_wait(issuer: Any) -> None:
    async with Background() as background:
        ring = KeyRing(issuer.url, background, Clock())
        await asyncio.gather(*[ring.look_again(30) for _ in range(50)])
        assert (issuer.asked, [key.kid for key in ring.keys], ring.version) == (1, ["k1"], 1)


async def test_what_nobody_knows_is_asked_for_once_per_cooldown(issuer: Any) -> None:
    clock = Clock()
    async with Background() as background:
        ring = KeyRing(issuer.url, background, clock)
        await ring.look_again(30)
        issuer.rotate("k2")
        for _ in range(100):
            await ring.look_again(30)
        assert (issuer.asked, [key.kid for key in ring.keys]) == (1, ["k1"])
        clock.now += 30
        await ring.look_again(30)
        assert (issuer.asked, [key.kid for key in ring.keys], ring.version) == (2, ["k2"], 2)


async def test_old_keys_are_renewed_without_anybody_waiting(issuer: Any) -> None:
    clock = Clock()
    async with Background() as background:
        ring = KeyRing(issuer.url, background, clock)
        await ring.look_again(30)
        ring.renew(600, 30)
        assert ring._fetching is None
        clock.now += 600
        ring.renew(600, 30)
        ring.renew(600, 30)
        await ring.look_again(30)  # waits for the one under way
        assert (issuer.asked, ring.version) == (2, 1)  # the same keys: nothing has changed


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(status=302, headers={"Location": "/keys"}),
        lambda: web.Response(text="no json"),
        lambda: web.json_response({"keys": []}),
        lambda: web.json_response({"keys": [{"kty": "oct", "k": "AAAA"}]}),
        lambda: web.Response(body=b" " * (512 * 1024 + 1)),
        lambda: web.Response(body=b"[" * 100_000),
    ],
)
async def test_what_is_no_set_of_keys_leaves_those_that_are_known(answer: Any, issuer: Any) -> None:
    clock = Clock()
    async with Background() as background:
        ring = KeyRing(issuer.url, background, clock)
        await ring.look_again(30)
        issuer.answer = answer()
        clock.now += 30
        await ring.look_again(30)
        assert (issuer.asked, [key.kid for key in ring.keys], ring.version) == (2, ["k1"], 1)


async def test_without_any_key_it_is_tried_again_soon(issuer: Any) -> None:
    clock = Clock()
    async with Background() as background:
        ring = KeyRing(issuer.url, background, clock)
        issuer.answer = web.Response(status=500)
        await ring.look_again(30)
        assert ring.keys == ()
        clock.now += 1
        await ring.look_again(30)
        assert len(ring.keys) == 1


async def test_who_goes_away_does_not_end_it_for_the_others(issuer: Any) -> None:
    async with Background() as background:
        ring = KeyRing(issuer.url, background, Clock())
        async with asyncio.TaskGroup() as group:
            first = group.create_task(ring.look_again(30))
            group.create_task(ring.look_again(30))
            await asyncio.sleep(0)
            first.cancel()
        assert len(ring.keys) == 1
