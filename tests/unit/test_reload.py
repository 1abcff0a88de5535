import asyncio
import os
from pathlib import Path

import pytest

from proxy.config.source import ABSENT, GLOB, fingerprint
from proxy.gateway import Gateway
from proxy.reload import Settling, contents, differs, expand, stamp, try_load, watch_files

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
