import logging
from typing import Any

import pytest

from proxy.plan.ratelimit import RateLimitPlan
from proxy.policy.ratelimit import Limit
from proxy.security.sharedcounts import SharedCounts


class Redis:
    """Answers a script as the test says; keeps what it is sent."""

    def __init__(self) -> None:
        self.said: Any = [0, 0]
        self.sent: list[tuple[list[str], list[int]]] = []

    def register_script(self, text: str) -> Any:
        async def run(keys: list[str], args: list[int]) -> Any:
            self.sent.append((keys, args))
            if isinstance(self.said, Exception):
                raise self.said
            return self.said

        return run


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.redis = Redis()
        self.now = 100.0
        self.events: list[Any] = []
        monkeypatch.setattr("proxy.security.sharedcounts.connect", lambda url: self.redis)
        self.shared = SharedCounts("redis://h", 1.0, self.events.append, now=lambda: self.now)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def limit(count: int, seconds: float, name: str = "default", route: str = "a") -> RateLimitPlan:
    return RateLimitPlan(
        route=route,
        name=name,
        limit=Limit(count, seconds, count),
        key_text="k",
        roots=frozenset(),
        key=lambda scope: None,
    )


async def test_all_limits_of_a_request_are_one_question(world: Any) -> None:
    world.redis.said = [0, 6_000_000, 500_000, 9_500_000]
    first, second = await world.shared.judge([limit(10, 60), limit(2, 10, "x")], ["=a", "=b"])
    assert (first.remaining, first.reset_s, first.retry_s) == (9, 6, 0)
    assert (second.remaining, second.reset_s, second.retry_s) == (0, 9.5, 0.5)
    ((keys, numbers),) = world.redis.sent
    assert numbers == [6_000_000, 60_000_000, 5_000_000, 10_000_000]
    assert len(set(keys)) == 2


async def test_what_differs_in_route_name_numbers_or_key_counts_apart_and_shows_nobody(world: Any) -> None:
    limits = [limit(10, 60), limit(11, 60), limit(10, 61), limit(10, 60, "x"), limit(10, 60, route="b")]
    for plan in limits:
        await world.shared.judge([plan], ["=someone@example.com"])
    await world.shared.judge([limits[0]], ["=other"])
    names = {keys[0] for keys, _ in world.redis.sent}
    assert len(names) == 6
    assert "someone" not in str(names)


async def test_an_outage_is_told_once_and_does_not_cost_every_request_a_question(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.redis.said = ConnectionError("redis://secret@h")
    for _ in range(3):
        assert await world.shared.judge([limit(1, 1)], ["=a"]) is None
    assert len(world.redis.sent) == 1
    assert [(event.route, event.reason) for event in world.events] == [("a", "error")] + [("a", "outage")] * 2
    world.redis.said = TimeoutError()
    world.now = 110.0
    assert await world.shared.judge([limit(1, 1)], ["=a"]) is None
    assert world.events[-1].reason == "timeout"
    world.redis.said = [0, 0]
    world.now = 130.0
    assert await world.shared.judge([limit(1, 1)], ["=a"]) is not None
    assert [record.message for record in caplog.records] == [
        "server.limit_store does not answer (ConnectionError)",
        "server.limit_store answers again",
    ]
