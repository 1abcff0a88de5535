"""Without a server: what happens when there is none. With one: tests/integration/test_redis_cache.py."""

import asyncio
from typing import Any

import pytest

from proxy.cache.redis import RedisStore
from proxy.cache.store import Stored, StoreUnavailable
from proxy.events import CacheFailed
from proxy.policy.freshness import Terms

ANSWER = Stored(200, [], b"x", Terms(age_s=0.0, fresh_s=60.0), 0.0)


class Scripted:
    """In the place of the client: what it is asked fails as the test says."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.hangs = False
        self.asked = 0
        self.closed = False

    async def mget(self, keys: list[Any]) -> list[Any]:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return [None] * len(keys)

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
async def failing() -> tuple[RedisStore, Scripted, list[Any]]:
    events: list[Any] = []
    store = RedisStore("redis://localhost:1/0", 0.01, events.append)
    await store.close()
    store._redis = Scripted()
    return store, store._redis, events


Failing = tuple[RedisStore, Scripted, list[Any]]


@pytest.mark.parametrize("error", [OSError(), ValueError("odd"), RuntimeError()])
async def test_whatever_goes_wrong_is_a_miss(error: Exception, failing: Failing) -> None:
    store, redis, events = failing
    redis.error = error
    assert await store.find("a", ["t"], 0.0) == (None, None)
    assert events == [CacheFailed("find", "error")]
    assert repr(store) == "<RedisStore out of order>"


async def test_a_late_answer_is_a_miss_and_the_next_one_does_not_wait(failing: Failing) -> None:
    store, redis, events = failing
    redis.hangs = True
    assert await store.find("a", [], 0.0) == (None, None)
    assert await store.find("a", [], 0.0) == (None, None)
    assert (redis.asked, events) == (1, [CacheFailed("find", "timeout"), CacheFailed("find", "outage")])


async def test_what_was_looked_for_in_vain_is_not_put(failing: Failing) -> None:
    store, redis, _ = failing
    assert not await store.put("a", ANSWER, [], None, 0.0, 60.0)
    assert not await store.put("a", ANSWER, [], [], 0.0, 0.0)
    assert redis.asked == 0


async def test_a_purge_that_nobody_can_vouch_for_is_an_error(failing: Failing) -> None:
    store, _, _ = failing
    with pytest.raises(StoreUnavailable):  # the stand-in has no pipeline at all
        await store.purge("t")
    await store.close()


async def test_a_tag_that_was_never_purged_has_the_number_nought(failing: Failing) -> None:
    store, _, _ = failing
    assert await store.find("a", ["t", "u"], 0.0) == (None, [0, 0])
    assert repr(store) == "<RedisStore in use>"


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    store, redis, _ = failing
    redis.error = OSError()
    for _ in range(2):
        await store.find("a", [], 0.0)
        store._outage.try_at = 0.0  # the pause is over
    redis.error = None
    await store.find("a", [], 0.0)
    assert (redis.asked, len(caplog.messages)) == (3, 2)
    assert "does not answer (OSError)" in caplog.messages[0]
    assert "answers again" in caplog.messages[1]
