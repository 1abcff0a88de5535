"""Several endpoints, over real sockets: who gets how many requests, and what a reload changes."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from proxy.events import EndpointChanged
from proxy.plan.upstreams import Endpoint as Upstream
from proxy.upstream.resolve import Resolved
from tests.integration.worlds import Endpoint, World, fine, ill, never, serving, started, world

ROUTE = 'routes: [{name: all, match: "/{rest:path}", proxy: u}]\n'


def config(*urls: str, more: str = "") -> str:
    listed = ", ".join(f'"{url}"' if url.startswith("http") else url for url in urls)
    return f"version: 1\nupstreams: {{u: {{urls: [{listed}]{more}}}}}\n{ROUTE}"


async def until(holds: Callable[[], bool], again: Callable[[], Awaitable[object]]) -> None:
    """Do something over and over until it has had its effect."""
    async with asyncio.timeout(10):
        while not holds():
            await again()


@pytest.mark.parametrize("policy", ["p2c", "round_robin", "least_requests", "ewma", "random"])
async def test_every_policy_uses_all_endpoints_and_loses_nothing(policy: str, tmp_path: Path) -> None:
    three = [Endpoint(fine) for _ in range(3)]
    async with (
        started(*three),
        serving(tmp_path, config(*[one.url for one in three], more=f", balance: {policy}")) as here,
    ):
        for _ in range(15):
            assert await asyncio.gather(*[here.ask("/x") for _ in range(6)]) == [200] * 6
        assert sum(one.count for one in three) == 90
        if policy in ("round_robin", "least_requests"):
            assert min(one.count for one in three) >= 25
        else:
            assert min(one.count for one in three) >= 1


async def test_weights_are_shares(tmp_path: Path) -> None:
    light, heavy = Endpoint(fine), Endpoint(fine)
    async with started(light, heavy):
        urls = [light.url, f'{{url: "{heavy.url}", weight: 3}}']
        async with serving(tmp_path, config(*urls, more=", balance: round_robin")) as here:
            for _ in range(40):
                await here.ask("/x")
            assert (light.count, heavy.count) == (10, 30)


async def test_equal_keys_go_to_the_same_endpoint_and_others_elsewhere(tmp_path: Path) -> None:
    three = [Endpoint(fine) for _ in range(3)]
    async with (
        started(*three),
        serving(tmp_path, config(*[one.url for one in three], more=", balance: {hash: $.query.k}")) as here,
    ):
        homes: Counter[int] = Counter()
        for key in range(30):
            before = [one.count for one in three]
            for _ in range(3):
                await here.ask(f"/x?k={key}")
            changes = [one.count - count for one, count in zip(three, before, strict=True)]
            assert sorted(changes) == [0, 0, 3]
            homes[changes.index(3)] += 1
        assert len(homes) == 3


async def test_an_endpoint_that_fails_in_a_row_is_out_and_comes_back_when_its_time_is_over(tmp_path: Path) -> None:
    bad, good = Endpoint(ill), Endpoint(fine)
    async with world(tmp_path, ", outlier: {consecutive_5xx: 3, eject_for: 100ms}", ROUTE, bad, good) as here:
        statuses = Counter([await here.ask("/x") for _ in range(30)])
        assert statuses[503] <= 6  # three, and one more for each time that it came back on probation
        assert "ejected" in [event.state for event in here.said(EndpointChanged)]
        bad.answer, before = fine, bad.count
        await until(lambda: bad.count >= before + 5, lambda: here.ask("/x"))


async def test_an_endpoint_that_is_gone_is_left_alone_without_being_configured(tmp_path: Path) -> None:
    gone, good = Endpoint(fine), Endpoint(fine)
    gone.url = "http://127.0.0.1:1"
    async with world(tmp_path, "", ROUTE, gone, good) as here:
        statuses = Counter([await here.ask("/x") for _ in range(40)])
        assert statuses == {502: 5, 200: 35}


async def test_an_active_check_takes_an_endpoint_out_and_brings_it_back(tmp_path: Path) -> None:
    async def checked(request: web.BaseRequest) -> web.StreamResponse:
        return await (fine if request.path != "/healthz" or well else ill)(request)

    well = False
    bad, good = Endpoint(checked), Endpoint(fine)
    health = ", health: {path: /healthz, interval: 20ms, timeout: 20ms, passes: 1, fails: 1}"
    async with world(tmp_path, health, ROUTE, bad, good) as here:
        states = here.gateway.registry.clients()[0].members
        await until(lambda: states[0].state == "unhealthy", lambda: here.ask("/x"))
        bad.paths.clear()
        for _ in range(10):
            await here.ask("/x")
        assert "/x" not in bad.paths
        well = True
        await until(lambda: "/x" in bad.paths, lambda: here.ask("/x"))


async def test_if_none_is_well_all_are_used(tmp_path: Path) -> None:
    one, two = Endpoint(ill), Endpoint(ill)
    outlier = ", outlier: {consecutive_5xx: 1, eject_for: 1h, max_ejected: 100%}"
    async with world(tmp_path, outlier, ROUTE, one, two) as here:
        for _ in range(20):
            assert await here.ask("/x") == 503
        assert min(one.count, two.count) >= 5


async def test_who_would_wait_behind_too_many_is_refused_at_once(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.StreamResponse:
        await go.wait()
        return await fine(request)

    one = Endpoint(wait)
    async with world(tmp_path, ", max_connections: 2, max_pending: 3, timeouts: {pool: 1h}", ROUTE, one) as here:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(here.ask("/x")) for _ in range(8)]
            async with asyncio.timeout(10):
                while sum(task.done() for task in asked) < 3:
                    await asyncio.wait([task for task in asked if not task.done()], return_when="FIRST_COMPLETED")
            go.set()
        assert Counter(task.result() for task in asked) == {200: 5, 503: 3}


async def hammer(here: World, statuses: Counter[int], stop: asyncio.Event) -> None:
    while not stop.is_set():
        statuses[await here.ask("/x")] += 1


async def test_endpoints_come_and_go_by_reload_under_load_and_no_request_fails(tmp_path: Path) -> None:
    three = [Endpoint(fine) for _ in range(3)]
    one, two, three_ = three
    async with started(*three):
        sets = [[one.url, two.url], [two.url, three_.url], [three_.url], [one.url, three_.url], [one.url, two.url]]
        async with serving(tmp_path, config(*sets[0])) as here:
            statuses: Counter[int] = Counter()
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for _ in range(6):
                    group.create_task(hammer(here, statuses, stop))
                for number in range(20):
                    (tmp_path / "routes.yaml").write_text(config(*sets[number % 5]))
                    await here.gateway.load("test")
                    seen = statuses.total()
                    await until(lambda seen=seen: statuses.total() > seen + 20, lambda: asyncio.sleep(0))
                stop.set()
            assert set(statuses) == {200}
            assert min(one.count for one in three) > 20


async def test_a_request_on_an_endpoint_that_is_removed_ends_and_the_others_keep_their_connections(
    tmp_path: Path,
) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await go.wait()
        return await fine(request)

    leaving, staying = Endpoint(wait), Endpoint(fine)
    async with (
        started(leaving, staying),
        serving(tmp_path, config(leaving.url, staying.url, more=", balance: round_robin")) as here,
        asyncio.TaskGroup() as group,
    ):
        asked = [group.create_task(here.ask("/x")) for _ in range(2)]
        async with asyncio.timeout(10):
            await arrived.wait()
            while not any(task.done() for task in asked):
                await asyncio.wait(asked, return_when="FIRST_COMPLETED")
        before = staying.ports[:]
        (tmp_path / "routes.yaml").write_text(config(staying.url))
        await here.gateway.load("test")
        assert await here.ask("/x") == 200
        assert staying.ports == before * 2  # on the same connection
        go.set()
        assert [await task for task in asked] == [200, 200]


async def test_one_that_never_answers_does_not_hold_the_others(tmp_path: Path) -> None:
    stuck, good = Endpoint(never), Endpoint(fine)
    async with started(stuck, good):
        text = config(stuck.url, good.url, more=", balance: least_requests")
        async with serving(tmp_path, text) as here, asyncio.TaskGroup() as group:
            held = [group.create_task(here.ask("/x")) for _ in range(2)]
            async with asyncio.timeout(10):
                await asyncio.wait(held, return_when="FIRST_COMPLETED")
                assert [await here.ask("/x") for _ in range(20)] == [200] * 20
            assert stuck.count == 1
            for task in held:
                task.cancel()


async def test_a_name_is_all_of_its_addresses_and_changes_are_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Endpoint(fine), Endpoint(fine)
    async with started(here, there):
        now = {"shop": here}

        async def resolve_shop(name: Upstream) -> Resolved:
            port = int(now["shop"].url.rpartition(":")[2])
            return Resolved({replace(name, address="127.0.0.1", port=port): 1}, 0.01)

        monkeypatch.setattr("proxy.upstream.client.resolve_name", resolve_shop)
        text = f'version: 1\nupstreams: {{u: {{dns: "http://localhost:1"}}}}\n{ROUTE}'
        async with serving(tmp_path, text) as world:
            await until(lambda: here.count >= 3, lambda: world.ask("/x"))
            now["shop"] = there
            await until(lambda: there.count >= 3, lambda: world.ask("/x"))
            before = here.count
            assert [await world.ask("/x") for _ in range(5)] == [200] * 5
            assert here.count == before
