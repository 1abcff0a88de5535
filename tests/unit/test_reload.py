import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.background import Background
from proxy.config.source import ABSENT, GLOB, fingerprint
from proxy.events import Event, Reloaded, ReloadFailed
from proxy.gateway import Gateway
from proxy.reload import (
    Settling,
    Watched,
    contents,
    differs,
    expand,
    load_on_hangup,
    stamp,
    try_load,
    watch_files,
)

REPLY = "version: 1\nroutes: [{{name: a, match: GET /, reply: {{body: {said}}}}}]\n"


def test_a_glob_stands_for_the_files_that_it_finds_and_a_name_for_itself(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    gone = str(tmp_path / "gone[1].yaml")
    assert expand({str(tmp_path / "*.yaml"): GLOB, gone: ABSENT}) == (str(tmp_path / "a.yaml"), gone)


def test_a_stamp_changes_with_a_rename_a_write_and_a_swapped_symlink(tmp_path: Path) -> None:
    path, other, link = tmp_path / "a", tmp_path / "b", tmp_path / "link"
    path.write_text("1")
    other.write_text("2")
    link.symlink_to(path)
    watched = {str(path): b"", str(link): b""}
    stamps = [stamp(watched)]
    path.write_text("11")
    stamps.append(stamp(watched))
    os.replace(other, path)
    stamps.append(stamp(watched))
    (tmp_path / "c").write_text("11")
    (tmp_path / "new").symlink_to(tmp_path / "c")
    os.replace(tmp_path / "new", link)
    stamps.append(stamp(watched))
    assert len(set(stamps)) == 4


def test_contents_are_compared_with_what_a_load_saw(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    loaded = {str(path): fingerprint(b"one"), str(tmp_path / "*.gone"): GLOB, str(tmp_path / "none"): ABSENT}
    assert not differs(loaded, contents(loaded))
    path.write_bytes(b"two")
    assert differs(loaded, contents(loaded))


def test_a_new_file_of_a_glob_is_a_difference(tmp_path: Path) -> None:
    loaded = {str(tmp_path / "*.yaml"): GLOB}
    assert not differs(loaded, contents(loaded))
    (tmp_path / "a.yaml").touch()
    assert differs(loaded, contents(loaded))


def test_files_have_settled_once_they_held_still_for_a_look() -> None:
    settling = Settling()
    one, two = (("a", 1, 1, 1),), (("a", 1, 2, 2),)
    assert [settling.step(seen) for seen in (one, one, one, two, one, one, one)] == [
        *(False, True, False),
        *(False, False, True, False),
    ]


async def test_a_refused_load_is_survived(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gone.yaml", env={})
    assert not await try_load(gateway, "test")
    await gateway.close()


async def test_a_change_that_comes_during_the_load_is_taken_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "routes.yaml"
    config.write_text(REPLY.format(said="one"))
    loaded = asyncio.Event()
    gateway = Gateway(config, [lambda event: loaded.set()], env={})
    await gateway.load("start")
    loaded.clear()
    config.write_text(REPLY.format(said="two"))  # before the watch has ever looked
    watching = asyncio.get_running_loop().create_task(watch_files(gateway, 0.001))
    await asyncio.wait_for(loaded.wait(), 10)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert gateway.current.number == 2
    await gateway.close()


@asynccontextmanager
async def watching(config: Path) -> AsyncIterator[tuple[Gateway, asyncio.Queue[Event]]]:
    """A gateway that has loaded its file once and watches it; what happens then is in the queue."""
    events: asyncio.Queue[Event] = asyncio.Queue()
    gateway = Gateway(config, [events.put_nowait], env={})
    await gateway.load("start")
    assert isinstance(await events.get(), Reloaded)
    task = asyncio.get_running_loop().create_task(watch_files(gateway, 0.001))
    try:
        yield gateway, events
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await gateway.close()


async def test_a_file_that_was_refused_and_then_mended_is_taken(tmp_path: Path) -> None:
    config = tmp_path / "routes.yaml"
    config.write_text(REPLY.format(said="one"))
    async with watching(config) as (gateway, events):
        config.write_text("version: 2")
        assert isinstance(await asyncio.wait_for(events.get(), 10), ReloadFailed)
        config.write_text(REPLY.format(said="two"))
        assert isinstance(await asyncio.wait_for(events.get(), 10), Reloaded)
        assert gateway.current.number == 2


async def test_the_same_contents_in_a_new_file_are_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "routes.yaml"
    config.write_text(REPLY.format(said="one"))
    compared = asyncio.Event()

    def compare(loaded: Watched, now: Mapping[str, bytes]) -> bool:
        compared.set()
        return differs(loaded, now)

    monkeypatch.setattr("proxy.reload.differs", compare)
    async with watching(config) as (_, events):
        await asyncio.wait_for(compared.wait(), 10)  # the first look has settled
        (tmp_path / "new").write_text(REPLY.format(said="one"))
        compared.clear()
        os.replace(tmp_path / "new", config)
        await asyncio.wait_for(compared.wait(), 10)
        config.write_text(REPLY.format(said="two"))
        event = await asyncio.wait_for(events.get(), 10)
        assert isinstance(event, Reloaded)
        assert event.generation == 2, "the rename alone was no reason to load"


async def test_a_config_map_that_swaps_its_folder_is_a_change(tmp_path: Path) -> None:
    # Kubernetes: routes.yaml → ..data/routes.yaml, ..data → ..v1; an update renames a new ..data over the old.
    for name, word in (("..v1", "one"), ("..v2", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "routes.yaml").write_text(REPLY.format(said=word))
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "routes.yaml").symlink_to("..data/routes.yaml")
    loaded = {str(tmp_path / "routes.yaml"): fingerprint((tmp_path / "routes.yaml").read_bytes())}
    before = stamp(loaded)
    (tmp_path / "..data_tmp").symlink_to("..v2")
    os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
    assert stamp(loaded) != before
    assert differs(loaded, contents(loaded))


def test_a_file_that_went_away_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    loaded = {str(path): fingerprint(b"one")}
    before = stamp(loaded)
    path.unlink()
    assert stamp(loaded) != before
    assert contents(loaded) == {str(path): ABSENT}


async def test_a_defect_in_loading_does_not_end_the_watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway(tmp_path / "routes.yaml", env={})

    async def fail(reason: str) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(gateway, "load", fail)
    assert not await try_load(gateway, "test")
    assert "a defect" in caplog.text
    await gateway.close()


async def test_a_hangup_loads(tmp_path: Path) -> None:
    config = tmp_path / "routes.yaml"
    config.write_text(REPLY.format(said="one"))
    events: asyncio.Queue[Event] = asyncio.Queue()
    gateway = Gateway(config, [events.put_nowait], env={})
    async with Background() as background:
        load_on_hangup(gateway, background.start)
        try:
            signal.raise_signal(signal.SIGHUP)
            event = await asyncio.wait_for(events.get(), 10)
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
    assert isinstance(event, Reloaded)
    assert (event.generation, event.reason) == (1, "SIGHUP")
    await gateway.close()
