import logging
from typing import Any

import pytest

from proxy.errors import KeysUnavailable
from proxy.plan.auth import StoredKeysPlan
from proxy.security.keystore import REMEMBERED, KeyStore


class Redis:
    """Answers from a dictionary, or fails; counts what it is asked."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.failure: Exception | None = None
        self.asked: list[str] = []
        self.closed = False

    async def get(self, name: str) -> bytes | None:
        self.asked.append(name)
        if self.failure is not None:
            raise self.failure
        return self.values.get(name)

    async def aclose(self) -> None:
        self.closed = True


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.redis = Redis()
        self.now = 100.0
        monkeypatch.setattr("proxy.security.keystore.connect", lambda url: self.redis)
        plan = StoredKeysPlan(url="redis://h", prefix="k:", timeout_s=1, refresh_s=10)
        self.store = KeyStore(plan, lambda: self.now)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_a_key_is_asked_for_by_its_hash_and_believed_for_a_while(world: Any) -> None:
    world.redis.values["k:0102"] = b'{"sub": "acme", "plan": "gold"}'
    for world.now in (100, 109.9):
        assert await world.store.find(b"\1\2") == {"sub": "acme", "plan": "gold"}
    assert world.redis.asked == ["k:0102"]
    world.redis.values.clear()
    world.now = 110
    assert await world.store.find(b"\1\2") is None


@pytest.mark.parametrize("value", [b"x", b"[]", b"{}", b'{"sub": 1}'])
async def test_what_is_no_claims_lets_nobody_in_and_is_logged(
    value: bytes, world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world.redis.values["k:01"] = value
    assert await world.store.find(b"\1") is None
    assert "whose value is not" in caplog.text


async def test_in_an_outage_who_is_known_stays_and_of_others_nobody_can_tell(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.redis.values["k:01"] = b'{"sub": "a"}'
    await world.store.find(b"\1")
    world.redis.failure = ConnectionError("redis://secret@host")
    world.now = 500
    assert await world.store.find(b"\1") == {"sub": "a"}
    with pytest.raises(KeysUnavailable):
        await world.store.find(b"\2")
    assert len(world.redis.asked) == 2  # the outage is known: the second one did not ask
    world.redis.failure = None
    world.now = 600
    assert await world.store.find(b"\2") is None
    assert [record.message for record in caplog.records] == [
        "the Redis of API keys does not answer (ConnectionError)",
        "the Redis of API keys answers again",
    ]


async def test_so_many_keys_are_remembered_and_no_more(world: Any) -> None:
    for number in range(REMEMBERED + 1):
        digest = number.to_bytes(2)
        world.redis.values[f"k:{digest.hex()}"] = b'{"sub": "a"}'
        await world.store.find(digest)
    await world.store.find((REMEMBERED).to_bytes(2))
    assert len(world.redis.asked) == REMEMBERED + 1
    await world.store.find((0).to_bytes(2))
    assert len(world.redis.asked) == REMEMBERED + 2


async def test_closing_closes_the_connections(world: Any) -> None:
    await world.store.close()
    assert world.redis.closed
