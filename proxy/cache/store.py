"""Whole answers that are kept, and what a place to keep them can do."""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from proxy.errors import GatewayError
from proxy.policy.freshness import Terms


class Stored(Struct, frozen=True):
    """One answer to a GET, and when it came (seconds since 1970)."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    terms: Terms
    came_at: float

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.body) + sum([len(name) + len(value) + 128 for name, value in self.headers])


class Variants(Struct, frozen=True):
    """Stands where answers have a `Vary`: the request headers, in lower case, that part them (RFC 9111 §4.1)."""

    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return sum([len(name) + 64 for name in self.names])


Kept = Stored | Variants

Token = Any
"""What a store wants to know again when an answer is put that was asked for after a look: a purge in between counts."""


class Store(Protocol):
    """Where answers are kept. None of its methods but `purge` raises or takes long: what cannot be had is a miss.

    With `wants_tags` it must be told an answer's tags also when it is looked for.
    """

    wants_tags: bool

    async def find(self, key: str, tags: Sequence[str], now: float) -> tuple[Kept | None, Token]:
        """What is kept under a key, and the token for a later `put`."""
        ...

    async def put(self, key: str, kept: Kept, tags: Sequence[str], token: Token, now: float, lives_s: float) -> bool:
        """Keep something for so long, unless one of its tags was purged since `token`. Says whether it is kept."""
        ...

    async def remove(self, key: str) -> None:
        """Forget one key."""
        ...

    async def purge(self, tag: str) -> int:
        """Forget everything with a tag, and what is being asked for now; how many they were.

        Raises `StoreUnavailable` if nobody can say whether it was done.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class StoreUnavailable(GatewayError):
    """The place where answers are kept does not answer."""

    status = 503
    code = "cache_unavailable"
