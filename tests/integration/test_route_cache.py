"""Answers of routes that are kept, over real sockets: what the upstream hears of is counted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import RawTestServer
from multidict import CIMultiDict
from yarl import URL

from proxy.events import CacheLooked
from proxy.gateway import Gateway
from proxy.server.listener import Listener

CONFIG = """
version: 1
upstreams:
  u: "${env.U}"
  named: {urls: ["${env.U}"], forward_headers: [authorization]}
routes:
  - {name: plain, match: "/plain/{rest:path}", cache: {status_header: true}, proxy: u}
  - {name: ttl, match: "GET /ttl/{rest:path}", cache: {ttl: 1h, status_header: true, max_object: 600KiB}, proxy: u}
  - name: stale
    match: GET /stale/{rest:path}
    cache: {stale_while_revalidate: 1h, stale_if_error: 1h, status_header: true}
    proxy: u
  - {name: some, match: "GET /some/{rest:path}", cache: {ttl: 1h, query: [page], vary: [X-Tenant]}, proxy: u}
  - {name: tagged, match: "GET /tagged/{id}", cache: {ttl: 1h, tags: ["id-${params.id}", "${query.t}"]}, proxy: u}
  - name: hidden
    match: GET /hidden
    cache: {ttl: 1h}
    proxy: {to: u, headers: {request: {remove: [Cookie, Authorization]}}}
  - {name: composite, match: "GET /composite/{id}", cache: {ttl: 1h, status_header: true}, calls: {
      a: {get: "named:/plain/${params.id}"}, b: {get: "u:/b/${params.id}", fallback: null}}, merge: {a: $.a, b: $.b}}
  - {name: others, match: "/{rest:path}", proxy: u}
"""


class Upstream:
    """Answers what the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.BaseRequest] = []
        self.headers: dict[str, Any] = {"Cache-Control": "max-age=60"}
        self.status = 200
        self.body: Any = None
        self.before: Callable[[web.BaseRequest], Any] | None = None
        self.streams: list[bytes] | None = None
        self.gate: asyncio.Event | None = None

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request)
        number = len(self.asked)
        if self.gate is not None:
            await self.gate.wait()
        headers = CIMultiDict(self.headers)
        if request.headers.get("If-None-Match", "-") == headers.get("ETag") and self.status == 200:
            return web.Response(status=304, headers=headers)
        if self.streams is not None:
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            for piece in self.streams:
                await response.write(piece)
            return response
        body = self.body if self.body is not None else f'"{number}"'
        if isinstance(body, str):
            body = body.encode()
        return web.Response(status=self.status, headers=headers, body=body)


async def until(done: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(5):
        for _ in iter(done, True):
            await asyncio.sleep(0)


class World:
    def __init__(self, upstream: Upstream, gateway: Gateway, session: ClientSession, url: str) -> None:
        self.upstream = upstream
        self.gateway = gateway
        self.session = session
        self.url = url
        self.looks: list[str] = []
        self.adapter: Any = None

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, CIMultiDict[str]]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, URL(self.url + path, encoded=True), headers=given) as response:
            return response.status, await response.text(), CIMultiDict(response.headers)

    async def bodies(self, *asked: tuple[str, dict[str, str]]) -> list[str]:
        return [(await self.ask(path, **headers))[1] for path, headers in asked]

    @property
    def hits(self) -> int:
        return len(self.upstream.asked)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    config = tmp_path / "routes.yaml"
    config.write_text(CONFIG)
    upstream = Upstream()
    looks: list[str] = []
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(RawTestServer(upstream))
        observe = lambda event: looks.append(event.result) if isinstance(event, CacheLooked) else None  # noqa: E731
        gateway = Gateway(config, [observe], env={"U": str(server.make_url("")).rstrip("/")})
        await gateway.load("start")
        stack.push_async_callback(gateway.close)
        adapter = gateway.make_adapter()
        listener = Listener(adapter, max_line=8190)
        host, port = await listener.open("127.0.0.1", 0)
        stack.push_async_callback(listener.close, 1)
        session = await stack.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))
        world = World(upstream, gateway, session, f"http://{host}:{port}")
        world.looks, world.adapter = looks, adapter
        yield world


async def test_a_second_request_is_answered_from_here_with_its_age(world: World) -> None:
    first = await world.ask("/plain/a")
    status, body, headers = await world.ask("/plain/a")
    assert (status, body, world.hits, world.looks) == (200, '"1"', 1, ["miss", "hit"])
    assert first[2]["Cache-Status"] == "proxy-composer; fwd=miss; fwd-status=200; stored"
    assert headers["Cache-Status"].startswith("proxy-composer; hit; ttl=")
    assert headers["Age"].isdigit()
    assert "Age" not in first[2]
    assert len(headers.getall("Date")) == 1


async def test_path_query_and_host_part_answers(world: World) -> None:
    for path in ("/plain/a", "/plain/b", "/plain/a?x=1", "/plain/A"):
        await world.ask(path)
    await world.ask("/plain/a", Host="other.example")
    assert world.hits == 5


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cache-Control": "no-store"},
        {"Cache-Control": "private, max-age=60"},
        {"Cache-Control": "max-age=60", "Set-Cookie": "a=1"},
        {"Cache-Control": "max-age=60", "Vary": "*"},
    ],
)
async def test_what_may_not_be_shared_is_asked_for_each_time(headers: dict[str, str], world: World) -> None:
    world.upstream.headers = headers
    assert [(await world.ask("/plain/a"))[1] for _ in range(3)] == ['"1"', '"2"', '"3"']


async def test_one_users_answer_is_never_anothers(world: World) -> None:
    asked = [("/plain/a", {"Authorization": name}) for name in ("a", "b", "a")]
    assert await world.bodies(*asked) == ['"1"', '"2"', '"3"']
    world.upstream.headers = {"Cache-Control": "public, max-age=60"}
    assert await world.bodies(*asked) == ['"4"', '"4"', '"4"']


async def test_a_ttl_does_not_share_what_a_cookie_may_have_made(world: World) -> None:
    world.upstream.headers = {}
    assert await world.bodies(*[("/ttl/a", {"Cookie": f"sid={n}"}) for n in (1, 2)]) == ['"1"', '"2"']
    assert await world.bodies(("/ttl/a", {}), ("/ttl/a", {})) == ['"3"', '"3"']
    assert await world.bodies(*[("/hidden", {"Cookie": f"sid={n}", "Authorization": "x"}) for n in (1, 2)]) == [
        '"4"',
        '"4"',
    ]


async def test_vary_parts_answers_by_the_headers_that_it_names(world: World) -> None:
    world.upstream.headers = {"Cache-Control": "max-age=60", "Vary": "Accept-Language, Accept-Encoding"}
    asked = [
        ("/plain/a", {"Accept-Language": "de", "Accept-Encoding": "gzip, br"}),
        ("/plain/a", {"Accept-Language": "en", "Accept-Encoding": "gzip, br"}),
        ("/plain/a", {"Accept-Language": "de", "Accept-Encoding": "BR,gzip"}),
        ("/plain/a", {"Accept-Language": "en", "Accept-Encoding": "br, gzip"}),
    ]
    assert await world.bodies(*asked) == ['"1"', '"2"', '"1"', '"2"']


async def test_only_what_counts_of_the_query_is_in_the_key_and_goes_upstream(world: World) -> None:
    paths = ["/some/a?page=1&utm=x", "/some/a?utm=y&page=1", "/some/a?page=2", "/some/a?utm=z", "/some/a?%70age=1"]
    assert await world.bodies(*[(path, {}) for path in paths]) == ['"1"', '"1"', '"2"', '"3"', '"3"']
    assert [request.raw_path for request in world.upstream.asked] == ["/some/a?page=1", "/some/a?page=2", "/some/a"]
    assert await world.bodies(("/some/a", {"X-Tenant": "1"}), ("/some/a", {"X-Tenant": "2"})) == ['"4"', '"5"']


async def test_a_client_that_has_the_answer_gets_a_304_from_here(world: World) -> None:
    modified = "Mon, 23 Nov 2020 10:00:00 GMT"
    world.upstream.headers = {"Cache-Control": "max-age=60", "ETag": '"v1"', "Last-Modified": modified}
    status, _, _ = await world.ask("/plain/a", If_None_Match='"v1"')
    assert status == 304  # what is asked for all has no condition of one client
    assert "If-None-Match" not in world.upstream.asked[0].headers
    status, body, headers = await world.ask("/plain/a", If_None_Match='"x", W/"v1"')
    assert (status, body, headers["ETag"], "Content-Type" in headers) == (304, "", '"v1"', False)
    assert (await world.ask("/plain/a", If_Modified_Since=modified))[0] == 304
    assert (await world.ask("/plain/a", If_None_Match='"v2"'))[0] == 200
    assert world.hits == 1


async def test_a_stale_answer_is_asked_for_by_its_validator_and_freshened(world: World) -> None:
    world.upstream.headers = {"Cache-Control": "max-age=0", "ETag": '"v1"', "X-A": "1"}
    await world.ask("/plain/a")
    world.upstream.headers = {"Cache-Control": "max-age=60", "ETag": '"v1"', "X-A": "2"}
    status, body, headers = await world.ask("/plain/a")
    assert (status, body, headers["X-A"]) == (200, '"1"', "2")
    assert headers["Cache-Status"].startswith("proxy-composer; fwd=stale; fwd-status=304; stored")
    assert world.upstream.asked[1].headers["If-None-Match"] == '"v1"'
    assert (await world.ask("/plain/a"))[2]["Cache-Status"].startswith("proxy-composer; hit")
    assert (world.hits, world.looks) == (2, ["miss", "revalidated", "hit"])


async def test_a_new_version_takes_the_place_of_the_stale_one(world: World) -> None:
    world.upstream.headers = {"Cache-Control": "max-age=0", "ETag": '"v1"'}
    await world.ask("/plain/a")
    world.upstream.headers = {"Cache-Control": "max-age=60", "ETag": '"v2"'}
    assert await world.bodies(("/plain/a", {}), ("/plain/a", {})) == ['"2"', '"2"']


async def test_a_stale_answer_is_served_at_once_and_renewed_behind(world: World) -> None:
    world.upstream.headers = {"Cache-Control": "max-age=0"}
    await world.ask("/stale/a")
    world.upstream.headers = {"Cache-Control": "max-age=60"}
    world.upstream.gate = asyncio.Event()
    answers = [await world.ask("/stale/a") for _ in range(3)]
    assert [body for _, body, _ in answers] == ['"1"'] * 3
    world.upstream.gate.set()
    async with asyncio.timeout(5):
        while (await world.ask("/stale/a"))[1] != '"2"':
            pass  # the renewal is on its way
    assert world.hits == 2  # one renewed it for all


@pytest.mark.parametrize("failure", [500, 503, "gone"])
async def test_a_stale_answer_stands_in_for_an_error(failure: int | str, world: World) -> None:
    world.upstream.headers = {"Cache-Control": "max-age=0, stale-while-revalidate=0"}
    await world.ask("/stale/a", Cache_Control="max-age=0")

    if failure == "gone":
        world.upstream.gate = _Dropping(world)  # type: ignore[assignment]
    else:
        world.upstream.status = int(failure)
    status, body, headers = await world.ask("/stale/a", Cache_Control="no-cache")
    assert (status, body) == (200, '"1"')
    assert headers["Cache-Status"].startswith("proxy-composer; fwd=stale; fwd-status=")


class _Dropping:
    def __init__(self, world: World) -> None:
        self.world = world

    async def wait(self) -> None:
        transport = self.world.upstream.asked[-1].transport
        assert transport is not None
        transport.abort()


async def test_an_error_without_a_stale_answer_is_the_answer(world: World) -> None:
    world.upstream.status = 503
    assert [(await world.ask("/stale/a"))[0] for _ in range(2)] == [503, 503]
    assert world.hits == 2


async def test_many_who_ask_at_once_are_one_request(world: World) -> None:
    world.upstream.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(world.ask("/plain/a")) for _ in range(20)]
        await until(lambda: world.adapter.in_flight == 20)
        world.upstream.gate.set()
    assert {task.result()[1] for task in tasks} == {'"1"'}
    assert world.hits == 1
    told = [task.result()[2]["Cache-Status"] for task in tasks]
    assert sum("collapsed" in one for one in told) == 19


async def test_who_waited_for_what_cannot_be_shared_asks_by_himself(world: World) -> None:
    world.upstream.headers = {"Cache-Control": "private"}
    world.upstream.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(world.ask("/plain/a")) for _ in range(10)]
        await until(lambda: world.adapter.in_flight == 10)
        world.upstream.gate.set()
    assert len({task.result()[1] for task in tasks}) == 10


async def test_a_head_is_served_from_the_answer_to_a_get(world: World) -> None:
    await world.ask("/plain/a", "HEAD")
    await world.ask("/plain/a")
    status, body, headers = await world.ask("/plain/a", "HEAD")
    assert (status, body, headers["Content-Length"], world.hits) == (200, "", "3", 2)


async def test_a_change_makes_what_is_kept_void_also_by_another_route(world: World) -> None:
    for path in ("/plain/a", "/ttl/a"):
        await world.ask(path)
        await world.ask(path, "POST")
        await world.ask(path)
    assert world.hits == 6
    world.upstream.status = 409
    await world.ask("/plain/a", "DELETE")
    assert (await world.ask("/plain/a"))[0] == 200
    assert world.hits == 7


async def test_parts_bodies_and_no_store_pass_by(world: World) -> None:
    await world.ask("/plain/a")
    await world.ask("/plain/a", Range="bytes=0-1")
    await world.ask("/plain/a", Cache_Control="no-store")
    async with world.session.get(world.url + "/plain/a", data=b"x") as response:
        assert await response.text() == '"4"'
    assert (world.hits, world.looks) == (4, ["miss", "bypass", "bypass", "bypass"])


async def test_a_client_may_ask_for_something_fresh_or_for_nothing_else_than_what_is_here(world: World) -> None:
    assert (await world.ask("/plain/a", Cache_Control="only-if-cached"))[0] == 504
    await world.ask("/plain/a")
    assert (await world.ask("/plain/a", Cache_Control="only-if-cached"))[0] == 200
    assert (await world.ask("/plain/a", Cache_Control="no-cache"))[1] == '"2"'
    assert (await world.ask("/plain/a"))[1] == '"2"'


async def test_headers_that_steer_frameworks_never_make_an_answer_for_others(world: World) -> None:
    assert (await world.ask("/plain/a", X_Original_URL="/admin"))[1] == '"1"'
    assert (await world.ask("/plain/a"))[1] == '"2"'


async def test_a_large_answer_is_streamed_while_it_is_copied(world: World) -> None:
    world.upstream.streams = [b"x" * 100_000] * 5
    world.upstream.headers = {}
    first = await world.ask("/ttl/large")
    second = await world.ask("/ttl/large")
    assert first[1] == second[1] == "x" * 500_000
    assert "Content-Length" not in first[2]
    assert (second[2]["Content-Length"], world.hits) == ("500000", 1)


async def test_an_answer_over_the_bound_passes_and_is_not_kept(world: World) -> None:
    world.upstream.headers = {}
    world.upstream.streams = [b"x" * 100_000] * 7
    assert [len((await world.ask("/ttl/large"))[1]) for _ in range(2)] == [700_000, 700_000]
    world.upstream.streams, world.upstream.body = None, "y" * 700_000
    assert [len((await world.ask("/ttl/larger"))[1]) for _ in range(2)] == [700_000, 700_000]
    assert (world.hits, len(world.gateway.memory)) == (4, 0)


async def test_answers_are_purged_by_route_by_address_and_by_tag(world: World) -> None:
    world.upstream.headers = {}
    paths = ["/tagged/1?t=all", "/tagged/2?t=all", "/tagged/3", "/ttl/a"]
    for path in paths:
        await world.ask(path)
    host = world.url.removeprefix("http://")
    assert await world.gateway.answers.purge("tag:id-1") == 1
    assert await world.gateway.answers.purge("tag:id-1") == 0
    assert await world.gateway.answers.purge("tag:all") == 1
    assert await world.gateway.answers.purge(f"key:{host}/tagged/3") == 1
    assert await world.gateway.answers.purge("route:ttl") == 1
    assert len(world.gateway.memory) == 0


async def test_what_was_asked_for_before_a_purge_is_not_kept_after_it(world: World) -> None:
    world.upstream.gate = asyncio.Event()
    asked = asyncio.ensure_future(world.ask("/plain/a"))  # noqa: TID251 – the test is its owner
    await until(lambda: bool(world.upstream.asked))
    await world.gateway.answers.purge("route:plain")
    world.upstream.gate.set()
    assert (await asked)[1] == '"1"'
    assert (await world.ask("/plain/a"))[1] == '"2"'


async def test_a_composite_is_kept_whole_and_never_in_part(world: World) -> None:
    world.upstream.headers = {}
    world.upstream.status = 500
    assert (await world.ask("/composite/1"))[0] == 502
    world.upstream.status = 200
    one = await world.ask("/composite/1")
    assert (await world.ask("/composite/1"))[1] == one[1]
    assert (await world.ask("/composite/1", If_None_Match=one[2]["ETag"]))[0] == 304
    assert (await world.ask("/composite/1", Authorization="a"))[1] != one[1]
    assert (await world.ask("/composite/1"))[1] == one[1]


async def test_a_partial_composite_is_not_kept(world: World) -> None:
    world.upstream.headers = {}

    class Half:
        async def wait(self) -> None:
            world.upstream.status = 500 if world.upstream.asked[-1].path.startswith("/b/") else 200

    world.upstream.gate = Half()  # type: ignore[assignment]
    status, _, headers = await world.ask("/composite/1")
    assert (status, headers["X-Partial"]) == (200, "b")
    world.upstream.gate, world.upstream.status = None, 200
    _, _, headers = await world.ask("/composite/1")
    assert "X-Partial" not in headers
    hits = world.hits
    await world.ask("/composite/1")
    assert world.hits == hits


async def test_another_configuration_of_a_route_shares_nothing_with_the_old_one(world: World, tmp_path: Path) -> None:
    await world.ask("/plain/a")
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("name: stale", "name: staler"))
    await world.gateway.load("test")
    assert (await world.ask("/plain/a"))[1] == '"1"'
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("{status_header: true}, proxy: u", "{}, proxy: named"))
    await world.gateway.load("test")
    assert (await world.ask("/plain/a"))[1] == '"2"'


async def test_the_admin_listener_purges_and_tells_what_the_cache_does(
    start_gateway: Any, session: ClientSession, tmp_path: Path
) -> None:
    upstream = Upstream()
    async with RawTestServer(upstream) as server:
        (tmp_path / "routes.yaml").write_text(CONFIG.replace("${env.U}", str(server.make_url("")).rstrip("/")))
        process = await start_gateway(tmp_path / "routes.yaml")
        for _ in range(2):
            async with session.get(process.url + "/tagged/1") as response:
                assert await response.text() == '"1"'
        async with session.post(process.admin + "/api/cache/purge", json={"tag": "id-1"}) as response:
            assert await response.json() == {"purged": 1}
        async with session.get(process.url + "/tagged/1") as response:
            assert await response.text() == '"2"'
        async with session.get(process.admin + "/metrics") as response:
            lines = (await response.text()).splitlines()
        assert 'proxy_cache_lookups_total{call="",result="hit",route="tagged"} 1.0' in lines
        assert 'proxy_cache_lookups_total{call="",result="miss",route="tagged"} 2.0' in lines
        assert "proxy_cache_entries 1.0" in lines
        assert "proxy_cache_evictions_total 0.0" in lines
