"""Answers kept in this process's memory, under one bound with everything else that is kept there."""

from collections.abc import Sequence

from proxy.cache.memory import MemoryStore
from proxy.cache.store import Kept, Token

# So many purged tags are remembered each for itself. What was asked for before the oldest of them is not kept.
_REMEMBERED = 10_000
# What it takes to find an answer by a tag: a set, and places in tables.
_PLACE = 320


class LocalStore:
    """A `Store` over the memory that calls keep their answers in too. It never waits."""

    wants_tags = False

    def __init__(self, memory: MemoryStore) -> None:
        self._memory = memory
        self._purges = 0
        self._forgotten = 0
        self._purged: dict[str, int] = {}

    async def find(self, key: str, tags: Sequence[str], now: float) -> tuple[Kept | None, Token]:
        entry = self._memory.get(key, now)
        return (None if entry is None else entry.value), self._purges

    async def put(self, key: str, kept: Kept, tags: Sequence[str], token: Token, now: float, lives_s: float) -> bool:
        if token < self._purges and (token < self._forgotten or any(self._purged.get(tag, 0) > token for tag in tags)):
            return False
        size = kept.size + len(key) + sum([len(tag) + _PLACE for tag in tags])
        return self._memory.put(key, kept, size, now, now + lives_s, tuple(tags))

    async def remove(self, key: str) -> None:
        self._memory.remove(key)

    async def purge(self, tag: str) -> int:
        self._purges += 1
        self._purged.pop(tag, None)
        self._purged[tag] = self._purges
        if len(self._purged) > _REMEMBERED:
            oldest = next(iter(self._purged))
            self._forgotten = self._purged.pop(oldest)
        return self._memory.purge(tag)

    async def close(self) -> None:
        """Nothing is held."""
