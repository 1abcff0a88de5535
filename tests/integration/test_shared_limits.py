"""Rate limits that several processes count together in a real Redis or Valkey, also when it goes away."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, TCPConnector

from proxy.events import LimitsUncounted
from proxy.gateway import Gateway
from proxy.server.listener import Listener

CONFIG = """
version: 1
server: {{limit_store: "{url}", limit_timeout: 2s}}
routes:
  - {{name: few, match: GET /few, rate_limit: 50/1h, reply: {{body: in}}}}
  - name: two
    match: GET /two
    rate_limit: [{{rate: 30/1h, name: all, key: "$.request.path"}}, {{rate: 10/1h, name: each, key: $.headers.x-user}}]
    reply: {{body: in}}
  - {{name: quick, match: GET /quick, rate_limit: {{rate: 20/1s, burst: 1}}, reply: {{body: in}}}}
  - {{name: strict, match: GET /strict, rate_limit: {{rate: 1000/1s, when_away: refuse}}, reply: {{body: in}}}}
  - {{name: open, match: GET /open, rate_limit: {{rate: 1/1h, when_away: allow}}, reply: {{body: in}}}}
  - {{name: local, match: GET /local, rate_limit: 2/1h, reply: {{body: in}}}}
"""


async def ask(session: ClientSession, url: str, **headers: str) -> int:
    async with session.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}) as response:
        await response.read()
        return response.status


@pytest.fixture
async def session() -> Any:
    async with ClientSession(cookie_jar=DummyCookieJar(), connector=TCPConnector(limit=40)) as one:
        yield one


async def test_four_processes_let_through_as_many_as_the_limit_says_and_no_more(
    tmp_path: Path, real_redis: Any, start_gateway: Any, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(CONFIG.format(url=real_redis.url))
    processes = [await start_gateway(tmp_path / "routes.yaml") for _ in range(4)]
    statuses = await asyncio.gather(*[ask(session, processes[n % 4].url + "/few") for n in range(400)])
    assert Counter(statuses) == {200: 50, 429: 350}
    users = [ask(session, processes[n % 4].url + "/two", X_User=f"u{n % 5}") for n in range(400)]
    assert Counter(await asyncio.gather(*users)) == {200: 30, 429: 370}


async def test_who_is_refused_by_one_limit_is_not_charged_by_the_other(
    tmp_path: Path, real_redis: Any, start_gateway: Any, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(CONFIG.format(url=real_redis.url))
    process = await start_gateway(tmp_path / "routes.yaml", "--workers", "2")
    one = [await ask(session, process.url + "/two", X_User="a") for _ in range(60)]
    assert Counter(one) == {200: 10, 429: 50}
    others = [await ask(session, process.url + "/two", X_User=user) for user in "bc" for _ in range(10)]
    assert Counter(others) == {200: 20}


async def test_what_is_refused_may_come_again_when_it_was_told_to(
    tmp_path: Path, real_redis: Any, serving: Any, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(CONFIG.format(url=real_redis.url))
    async with serving(tmp_path / "routes.yaml") as url:
        loop = asyncio.get_running_loop()
        began, let_in = loop.time(), 0
        while let_in < 5:
            let_in += await ask(session, url + "/quick") == 200
        # One at once, and one for each 50 ms.
        assert loop.time() - began >= 0.2


async def test_an_outage_does_what_each_route_says_and_ends(
    tmp_path: Path, real_redis: Any, serving: Any, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(CONFIG.format(url=real_redis.url))
    async with serving(tmp_path / "routes.yaml") as url:
        assert await ask(session, url + "/strict") == 200
        await real_redis.stop()
        assert [await ask(session, url + "/open") for _ in range(5)] == [200] * 5
        assert [await ask(session, url + "/local") for _ in range(4)] == [200, 200, 429, 429]
        assert await ask(session, url + "/strict") == 503
        await real_redis.start()
        async with asyncio.timeout(20):
            # It is tried again after a pause; it has forgotten the script, which is sent anew.
            while await ask(session, url + "/strict") != 200:  # noqa: ASYNC110 – another process
                await asyncio.sleep(0.05)
        assert await ask(session, url + "/open") == 200
        assert await ask(session, url + "/open") == 429


async def test_a_redis_that_does_not_answer_costs_a_time_out_and_not_one_for_each_request(
    tmp_path: Path, real_redis: Any, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(CONFIG.format(url=real_redis.url).replace("2s", "200ms"))
    reasons: Counter[str] = Counter()

    def observe(event: Any) -> None:
        if isinstance(event, LimitsUncounted):
            reasons[event.reason] += 1

    gateway = Gateway(tmp_path / "routes.yaml", [observe], env={})
    await gateway.load("start")
    listener = Listener(gateway.make_adapter(), max_line=8190)
    host, port = await listener.open("127.0.0.1", 0)
    real_redis.halt()
    statuses = [await ask(session, f"http://{host}:{port}/open") for _ in range(40)]
    await listener.close(1)
    await gateway.close()
    assert statuses == [200] * 40
    assert reasons.total() == 40
    assert reasons["timeout"] <= 5
