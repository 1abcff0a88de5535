import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.cache.local import LocalStore
from proxy.events import Event, Reloaded, ReloadFailed
from proxy.gateway import ConfigRefused, Gateway

ROUTES = "version: 1\nupstreams: {{u: 'http://127.0.0.1:{port}'}}\nroutes:\n  - {{name: a, match: GET /a, proxy: u}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES.format(port=1))
    return path


@pytest.fixture
def seen() -> list[Event]:
    return []


@pytest.fixture
async def gateway(config: Path, seen: list[Event]) -> AsyncIterator[Gateway]:
    gateway = Gateway(config, [seen.append], env={})
    yield gateway
    await gateway.close()


async def test_every_load_is_a_generation_and_is_told_of(gateway: Gateway, seen: list[Event]) -> None:
    assert (await gateway.load("start")).number == 1
    assert (await gateway.load("again")).number == 2
    assert [event.generation for event in seen if isinstance(event, Reloaded)] == [1, 2]


async def test_a_refused_file_leaves_the_generation_serving(gateway: Gateway, seen: list[Event], config: Path) -> None:
    serving = await gateway.load("start")
    config.write_text("version: 2")
    with pytest.raises(ConfigRefused) as refused:
        await gateway.load("edit")
    assert gateway.current is serving
    assert refused.value.problems
    assert not gateway.state.current
    assert gateway.state.generation == 1
    assert any(isinstance(event, ReloadFailed) for event in seen)


async def test_a_good_file_after_a_bad_one_clears_the_state(gateway: Gateway, config: Path) -> None:
    await gateway.load("start")
    config.write_text("version: 2")
    with pytest.raises(ConfigRefused):
        await gateway.load("edit")
    config.write_text(ROUTES.format(port=1))
    await gateway.load("edit")
    assert gateway.state.current


async def test_an_unchanged_upstream_keeps_its_pool_and_a_changed_one_gets_a_new_one(
    gateway: Gateway, config: Path
) -> None:
    await gateway.load("start")
    before = gateway.registry.clients()
    await gateway.load("same")
    assert gateway.registry.clients() == before
    config.write_text(ROUTES.format(port=2))
    await gateway.load("other port")
    assert all(client not in before for client in gateway.registry.clients()[-1:])


async def test_a_generation_retires_when_its_last_request_has_ended(gateway: Gateway) -> None:
    generation = await gateway.load("start")
    with generation:
        retiring = asyncio.get_running_loop().create_task(generation.retire())
        await asyncio.sleep(0)
        assert not retiring.done()
    await asyncio.wait_for(retiring, 5)


async def test_services_are_made_once_and_when_asked_for(gateway: Gateway) -> None:
    generation = await gateway.load("start")
    assert len(generation.services) == 0
    assert generation.services["a"] is generation.services["a"]
    assert len(generation.services) == 1


async def test_a_setting_that_takes_a_restart_is_remembered_until_it_is_taken_back(
    gateway: Gateway, config: Path
) -> None:
    await gateway.load("start")
    config.write_text(ROUTES.format(port=1) + "server: {max_target: 4KiB}\n")
    await gateway.load("edit")
    assert gateway.state.needs_restart == ("max_target",)
    config.write_text(ROUTES.format(port=1))
    await gateway.load("edit")
    assert gateway.state.needs_restart == ()


async def test_the_upstream_of_an_old_generation_is_kept_until_its_last_request_has_ended(
    gateway: Gateway, config: Path
) -> None:
    old = await gateway.load("start")
    (client,) = gateway.registry.clients()
    with old:
        config.write_text(ROUTES.format(port=2))
        await gateway.load("edit")
        (retiring,) = gateway._retiring
        await asyncio.sleep(0)  # the retirement begins
        assert client in gateway.registry.clients()
    await asyncio.wait_for(retiring, 10)
    assert client not in gateway.registry.clients()


async def test_loads_at_the_same_time_are_done_one_after_the_other(gateway: Gateway) -> None:
    generations = await asyncio.gather(*(gateway.load(str(number)) for number in range(5)))
    assert sorted(generation.number for generation in generations) == [1, 2, 3, 4, 5]
    assert gateway.current.number == 5


async def test_a_first_load_that_is_refused_tells_what_to_watch(gateway: Gateway, config: Path) -> None:
    config.write_text("version: 2")
    with pytest.raises(ConfigRefused):
        await gateway.load("start")
    assert set(gateway.watched) == {str(config)}
    assert gateway.state.generation == 0
    assert gateway.state.failed_at


async def test_an_observer_is_told_why_a_file_was_refused(gateway: Gateway, seen: list[Event], config: Path) -> None:
    config.write_text("version: 2")
    with pytest.raises(ConfigRefused):
        await gateway.load("edit")
    (failed,) = (event for event in seen if isinstance(event, ReloadFailed))
    assert failed.reason == "edit"
    assert failed.problems[0].startswith(f"{config}:1:")


async def test_answers_are_kept_where_the_configuration_says_also_after_a_reload(
    gateway: Gateway, config: Path
) -> None:
    await gateway.load("start")
    local = gateway.answers
    await gateway.load("the same")
    assert gateway.answers is local
    config.write_text(ROUTES.format(port=1) + "server: {cache_store: 'redis://127.0.0.1:1/0'}\n")
    await gateway.load("elsewhere")
    assert repr(gateway.answers) == "<RedisStore in use>"
    config.write_text(ROUTES.format(port=1))
    await gateway.load("back")
    assert gateway.answers is not local
    assert isinstance(gateway.answers, LocalStore)
