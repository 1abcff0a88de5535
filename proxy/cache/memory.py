"""Keeps values for a while, within a number of bytes; what was used longest ago goes first."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from msgspec import Struct

# What an entry costs beside its value: the key, the entry, two places in tables.
OVERHEAD = 512


class Entry(Struct):
    """A value and when it was put there; `dies_at` is when nobody may have it any more (monotonic seconds)."""

    value: Any
    size: int
    stored_at: float
    dies_at: float
    tags: tuple[str, ...] = ()


class MemoryStore:
    """An LRU cache. `now` is an argument everywhere: the clock is the caller's."""

    def __init__(self, max_bytes: int) -> None:
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._tagged: dict[str, set[Hashable]] = {}
        self._max_bytes = max_bytes
        self._size = 0
        self.evictions = 0

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._entries)} entries, {self._size} of {self._max_bytes} bytes>"

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """The bytes that are kept, each entry's overhead included."""
        return self._size

    def get(self, key: Hashable, now: float) -> Entry | None:
        """What is kept under a key, if its time is not over."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.dies_at <= now:
            self.remove(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, value: Any, size: int, now: float, dies_at: float, tags: tuple[str, ...] = ()) -> bool:
        """Keep a value of so many bytes until `dies_at`. False if it alone is more than an eighth of the room."""
        self.remove(key)
        size += OVERHEAD
        if size > self._max_bytes // 8:
            return False
        self._entries[key] = Entry(value, size, now, dies_at, tags)
        for tag in tags:
            self._tagged.setdefault(tag, set()).add(key)
        self._size += size
        self._shrink()
        return True

    def remove(self, key: Hashable) -> None:
        """Forget a key, if it is known."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._forget(key, entry)

    def purge(self, tag: str) -> int:
        """Forget all that was put with a tag; how many they were."""
        keys = tuple(self._tagged.get(tag, ()))
        for key in keys:
            self.remove(key)
        return len(keys)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._tagged.clear()
        self._size = 0

    def resize(self, max_bytes: int) -> None:
        """Another bound from now on."""
        self._max_bytes = max_bytes
        self._shrink()

    def _shrink(self) -> None:
        while self._size > self._max_bytes:
            key, entry = self._entries.popitem(last=False)
            self._forget(key, entry)
            self.evictions += 1

    def _forget(self, key: Hashable, entry: Entry) -> None:
        self._size -= entry.size
        for tag in entry.tags:
            keys = self._tagged[tag]
            keys.discard(key)
            if not keys:
                del self._tagged[tag]
