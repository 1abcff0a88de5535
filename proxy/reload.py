"""Notices that the configuration changed, and asks the gateway to load it.

Files are polled, not watched: events are lost when an editor replaces a file, never come for single-file mounts, and
differ by platform; a Kubernetes ConfigMap swaps a symlink. Twice a second the files' stamps are read; when they differ
and then hold still for a moment (editors write twice), the contents decide whether anything changed.
"""

import asyncio
import glob
import hashlib
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from proxy.gateway import ConfigRefused, Gateway

_LOG = logging.getLogger("proxy.reload")
POLL_S = 0.25
Stamp = tuple[tuple[str, int, int, int], ...]


def expand(watched: Iterable[str]) -> tuple[str, ...]:
    """The files that names and globs stand for at this moment."""
    found: set[str] = set()
    for name in watched:
        found.update(glob.glob(name, recursive=True) if glob.has_magic(name) else [name])
    return tuple(sorted(found))


def stamp(watched: Iterable[str]) -> Stamp:
    """What a look from outside tells of the files: which they are, their inodes, sizes and times."""
    stamps = []
    for name in expand(watched):
        try:
            status = os.stat(name)  # follows symlinks, which is how a swapped one shows
        except OSError:
            stamps.append((name, 0, -1, 0))
        else:
            stamps.append((name, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(stamps)


def digest(watched: Iterable[str]) -> bytes:
    """A fingerprint of the files' names and contents."""
    total = hashlib.blake2b()
    for name in expand(watched):
        try:
            with open(name, "rb") as file:
                content = hashlib.blake2b(file.read()).digest()
        except OSError:
            content = b"absent"
        total.update(name.encode("utf-8", "surrogateescape") + b"\0" + content)
    return total.digest()


class Watch:
    """What was seen of the files. Pure but for the looks it is given: `step` says whether to load now."""

    def __init__(self, seen: Stamp, content: bytes) -> None:
        self._seen = seen
        self._content = content
        self._unsettled = False

    def step(self, now: Stamp, content: Callable[[], bytes]) -> bool:
        """One look. True once the files changed, held still since the last look, and differ in content."""
        if now != self._seen:
            self._seen = now
            self._unsettled = True
            return False
        if not self._unsettled:
            return False
        self._unsettled = False
        fresh = content()
        changed = fresh != self._content
        self._content = fresh
        return changed


async def watch_files(gateway: Gateway, poll_s: float = POLL_S) -> None:
    """Load whenever the files change; runs until cancelled."""
    watched = gateway.watched
    watch = Watch(stamp(watched), digest(watched))
    while True:
        await asyncio.sleep(poll_s)
        if gateway.watched != watched:
            watched = gateway.watched
            watch = Watch(stamp(watched), digest(watched))
        if watch.step(stamp(watched), lambda names=watched: digest(names)):  # type: ignore[misc]
            await try_load(gateway, "file changed")


async def try_load(gateway: Gateway, reason: str) -> bool:
    """Load, leaving what serves as it is if that fails; the gateway has said why."""
    try:
        await gateway.load(reason)
    except ConfigRefused:
        return False
    except Exception:  # a defect in loading must not end the watching
        _LOG.exception("loading the configuration failed unexpectedly")
        return False
    return True


def load_on_hangup(gateway: Gateway, start: Callable[[str, Coroutine[Any, Any, None]], None]) -> None:
    """Load on SIGHUP, as daemons do. `start` runs a coroutine that somebody owns."""

    async def load() -> None:
        await try_load(gateway, "SIGHUP")

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: start("load on SIGHUP", load()))
