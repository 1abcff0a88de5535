"""Answers kept in a real Redis or Valkey: shared, purged, and missed without harm when it is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import RawTestServer

from proxy.cache.redis import RedisStore
from proxy.cache.store import Stored, StoreUnavailable, Variants
from proxy.clock import monotonic, unix_seconds
from proxy.events import CacheFailed
from proxy.gateway import Gateway
from proxy.policy.freshness import Terms
from proxy.server.listener import Listener

CONFIG = """
version: 1
server: {{cache_store: "{url}"}}
upstreams: {{u: "${{env.U}}"}}
routes:
  - {{name: kept, match: "/kept/{{id}}", cache: {{ttl: 1h, tags: ["id-${{params.id}}"]}}, proxy: u}}
"""


class Shared:
    """Two gateways before one upstream, with one Redis."""

    def __init__(self) -> None:
        self.hits = 0
        self.gate: asyncio.Event | None = None
        self.urls: list[str] = []
        self.gateways: list[Gateway] = []
        self.failures: list[CacheFailed] = []
        self.session: Any = None
        self.vary = ""

    async def upstream(self, request: web.BaseRequest) -> web.Response:
        self.hits += 1
        hits = self.hits
        if self.gate is not None:
            await self.gate.wait()
        return web.Response(text=str(hits), headers={"Vary": self.vary} if self.vary else {})

    async def ask(self, which: int, path: str, **headers: str) -> str:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(self.urls[which] + path, headers={"Host": "shop.example", **given}) as response:
            return str(await response.text())

    def observe(self, event: Any) -> None:
        if isinstance(event, CacheFailed):
            self.failures.append(event)


@pytest.fixture
async def shared(tmp_path: Path, real_redis: Any) -> AsyncIterator[Shared]:
    config, shared = tmp_path / "routes.yaml", Shared()
    config.write_text(CONFIG.format(url=real_redis.url))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(RawTestServer(shared.upstream))
        for _ in range(2):
            gateway = Gateway(config, [shared.observe], env={"U": str(server.make_url("")).rstrip("/")})
            await gateway.load("start")
            stack.push_async_callback(gateway.close)
            listener = Listener(gateway.make_adapter(), max_line=8190)
            host, port = await listener.open("127.0.0.1", 0)
            stack.push_async_callback(listener.close, 1)
            shared.urls.append(f"http://{host}:{port}")
            shared.gateways.append(gateway)
        shared.session = await stack.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))
        yield shared


async def test_what_one_gateway_keeps_the_other_has(shared: Shared) -> None:
    assert [await shared.ask(which, "/kept/1") for which in (0, 1, 0)] == ["1", "1", "1"]
    assert len(shared.gateways[0].memory) == 0


async def test_variants_are_shared_too(shared: Shared) -> None:
    shared.vary = "Accept-Language"
    asked = [(0, "de"), (1, "de"), (1, "en"), (0, "en")]
    assert [await shared.ask(which, "/kept/1", Accept_Language=one) for which, one in asked] == ["1", "1", "2", "2"]


async def test_a_purge_at_one_is_a_purge_for_all_and_is_counted(shared: Shared) -> None:
    for name in ("1", "2", "3"):
        await shared.ask(0, f"/kept/{name}")
    purge = shared.gateways[1].answers.purge
    assert [await purge("tag:id-1"), await purge("tag:id-1"), await purge("key:shop.example/kept/2")] == [1, 0, 1]
    assert await shared.ask(0, "/kept/1") == "4"
    assert await purge("route:kept") == 2
    assert await shared.ask(0, "/kept/3") == "5"


async def test_a_purge_also_holds_for_what_is_being_asked_for(shared: Shared) -> None:
    shared.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(shared.ask(0, "/kept/1"))
        async with asyncio.timeout(5):
            for _ in iter(lambda: bool(shared.hits), True):
                await asyncio.sleep(0)
        await shared.gateways[1].answers.purge("route:kept")
        shared.gate.set()
    assert asked.result() == "1"
    assert await shared.ask(0, "/kept/1") == "2"


async def test_without_a_redis_everything_is_a_miss_and_nothing_fails(
    shared: Shared, real_redis: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await shared.ask(0, "/kept/1")
    await real_redis.stop()
    assert [await shared.ask(0, "/kept/1") for _ in range(5)] == ["2", "3", "4", "5", "6"]
    reasons = [failure.reason for failure in shared.failures]
    assert (reasons[0], reasons[-1]) == ("error", "outage")
    assert len([line for line in caplog.messages if "does not answer" in line]) == 1  # once for an outage
    with pytest.raises(StoreUnavailable):
        await shared.gateways[0].answers.purge("route:kept")


async def test_a_redis_that_comes_back_is_used_again(shared: Shared, real_redis: Any) -> None:
    await real_redis.stop()
    await shared.ask(0, "/kept/1")
    await real_redis.start()
    for _ in range(200):
        if await shared.ask(0, "/kept/1") == await shared.ask(0, "/kept/1"):
            return
        await asyncio.sleep(0.05)  # the pause before it is tried again is half a second
    raise AssertionError("it is not used again")


async def test_a_redis_that_does_not_answer_costs_one_time_out_and_not_one_each(
    shared: Shared, real_redis: Any
) -> None:
    await shared.ask(0, "/kept/1")
    real_redis.halt()
    started = monotonic()
    for _ in range(20):
        await shared.ask(0, "/kept/1")
    assert monotonic() - started < 1.5  # 40 looks of 0.1 s each would be 4 s
    assert [failure.reason for failure in shared.failures].count("timeout") <= 3


def stored(body: bytes = b"x", came_at: float = 0.0) -> Stored:
    return Stored(200, [("A", "ü\udcff")], body, Terms(age_s=0.0, fresh_s=60.0), came_at)


@pytest.fixture
async def store(real_redis: Any) -> AsyncIterator[RedisStore]:
    store = RedisStore(real_redis.url, 1.0, lambda event: None)
    yield store
    await store.close()


async def test_what_is_put_is_found_as_it_was(store: RedisStore) -> None:
    now = unix_seconds()
    for key, kept in (("a\udcff", stored(bytes(range(256)), now)), ("b", Variants(("accept", "x")))):
        _, token = await store.find(key, ["t"], now)
        assert await store.put(key, kept, ["t"], token, now, 60.0)
        assert (await store.find(key, ["t"], now))[0] == kept
    await store.remove("b")
    assert (await store.find("b", ["t"], now))[0] is None


async def test_nothing_of_what_is_put_lives_for_ever(store: RedisStore) -> None:
    now = unix_seconds()
    _, token = await store.find("a", ["t", "u"], now)
    await store.put("a", stored(), ["t", "u"], token, now, 60.0)
    await store.put("b", stored(), ["t", "u"], token, now, 10 * 365 * 24 * 3600.0)
    await store.purge("u")
    keys = await store._redis.keys("*")
    assert keys
    assert all([0 < await store._redis.ttl(key) <= 30 * 24 * 3600 + 3600 for key in keys])


async def test_the_index_of_a_tag_forgets_what_is_over(store: RedisStore) -> None:
    now = unix_seconds()
    _, token = await store.find("a", ["t"], now)
    for number in range(20):
        await store.put(str(number), stored(), ["t"], token, now - 1000, 500.0)
    await store.put("last", stored(), ["t"], token, now, 500.0)
    assert await store._redis.zcard(store._index("t")) == 1


async def test_what_another_version_has_put_is_a_miss(store: RedisStore) -> None:
    await store._redis.set(store._key("a"), b"\xc1 what is this")
    assert (await store.find("a", [], 0.0))[0] is None
