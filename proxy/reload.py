"""Notices that the configuration changed, and asks the gateway to load it.

Files are polled, not watched: events are lost when an editor replaces a file, never come for single-file mounts, and
differ by platform; a Kubernetes ConfigMap swaps a symlink. Four times a second the files' stamps are read; when they
differ and then hold still for a moment (editors write twice), the contents decide whether anything changed.
"""

import asyncio
import glob
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from proxy.config.source import ABSENT, GLOB, fingerprint, read_limited
from proxy.gateway import ConfigRefused, Gateway

_LOG = logging.getLogger("proxy.reload")
POLL_S = 0.25
Stamp = tuple[tuple[str, int, int, int], ...]


Watched = Mapping[str, bytes]
"""File or glob → the fingerprint that a load saw (`Gateway.watched`)."""


def expand(watched: Watched) -> tuple[str, ...]:
    """The files that names and globs stand for at this moment."""
    found: set[str] = set()
    for name, seen in watched.items():
        found.update(glob.glob(name, recursive=True) if seen == GLOB else [name])
    return tuple(sorted(found))


def stamp(watched: Watched) -> Stamp:
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


def contents(watched: Watched) -> dict[str, bytes]:
    """File → the fingerprint of what is in it now, in the terms of `Gateway.watched`."""
    found = {}
    for name in expand(watched):
        try:
            found[name] = fingerprint(read_limited(name))
        except OSError:
            found[name] = ABSENT
    return found


def differs(loaded: Watched, now: Mapping[str, bytes]) -> bool:
    """Whether the files are others than those that were loaded."""
    return {name: seen for name, seen in loaded.items() if seen != GLOB} != now


class Settling:
    """Tells when files that changed have come to rest: editors write twice, and copies grow."""

    def __init__(self) -> None:
        self._seen: Stamp = ()
        self._moving = False

    def step(self, now: Stamp) -> bool:
        """One look from outside. True once, when the files changed and then held still for one look."""
        if now != self._seen:
            self._seen = now
            self._moving = True
            return False
        settled, self._moving = self._moving, False
        return settled


async def watch_files(gateway: Gateway, poll_s: float = POLL_S) -> None:
    """Load whenever the files differ from what was loaded; runs until cancelled.

    The comparison is with what the load itself read, so a change is seen however soon after it (or during it) it comes.
    """
    settling = Settling()
    while True:
        await asyncio.sleep(poll_s)
        watched = gateway.watched
        if settling.step(stamp(watched)) and differs(watched, contents(watched)):
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
