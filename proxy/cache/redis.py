"""Answers kept in a Redis or Valkey, which several processes and machines share.

An answer is one value, with the number of each of its tags as it was when the answer was asked for. Purging a tag
counts its number up, in one command: whatever was put before, or is being asked for now, does not match any more and is
a miss. An index of each tag's keys tells how many they were, and lets their room be given back at once.

Nothing here raises but `purge`: an error or a late answer is a miss, and during an outage nobody waits.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from proxy.cache.outage import Outage
from proxy.cache.store import Kept, Stored, StoreUnavailable, Token, Variants
from proxy.clock import monotonic
from proxy.events import CacheFailed, Observer
from proxy.policy.freshness import Terms

if TYPE_CHECKING:
    from redis.asyncio import Redis

_LOG = logging.getLogger("proxy.cache")
# No answer is kept for longer, so that the numbers of purged tags need not be kept for ever.
LONGEST_S = 30 * 24 * 3600
_CONNECTIONS = 64
_CHUNK = 500
T = TypeVar("T")


class _Answer(msgspec.Struct, array_like=True):
    """A `Stored` with its fields as bytes, as a header may hold any."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    terms: Terms
    came_at: float


class _Entry(msgspec.Struct, array_like=True):
    versions: list[int]
    names: tuple[str, ...]
    answer: _Answer | None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Entry)


class RedisStore:
    """A `Store` in the Redis at `url`. `timeout_s` is all that one look may take."""

    wants_tags = True

    def __init__(self, url: str, timeout_s: float, observer: Observer, *, prefix: str = "proxy-composer:") -> None:
        # Its own annotations leave open whether answers are text; ours are bytes.
        self._redis: Any = connect(url)
        self._timeout_s = timeout_s
        self._observer = observer
        self._prefix = prefix
        self._outage = Outage()

    def __repr__(self) -> str:
        return f"<RedisStore {'out of order' if self._outage.open else 'in use'}>"

    async def find(self, key: str, tags: Sequence[str], now: float) -> tuple[Kept | None, Token]:
        versions = [self._version(tag) for tag in tags]
        found = await self._try("find", lambda: self._redis.mget([self._key(key), *versions]))
        if found is None:
            return None, None
        token = [int(version or 0) for version in found[1:]]
        if found[0] is None:
            return None, token
        try:
            entry = _DECODER.decode(found[0])
        except msgspec.DecodeError:
            return None, token  # of another version of this program
        return (_read(entry) if entry.versions == token else None), token

    async def put(self, key: str, kept: Kept, tags: Sequence[str], token: Token, now: float, lives_s: float) -> bool:
        milliseconds = int(min(lives_s, LONGEST_S) * 1000)
        if token is None or milliseconds <= 0:
            return False
        # What was purged since `token` is put with the old numbers, and so is not found.
        data = _ENCODER.encode(_written(kept, token))

        def put() -> Any:
            name, dies_at = self._key(key), int(now * 1000) + milliseconds
            pipe = self._redis.pipeline(transaction=False)
            pipe.set(name, data, px=milliseconds)
            for tag in tags:
                index = self._index(tag)
                pipe.zadd(index, {name: dies_at})
                pipe.zremrangebyscore(index, "-inf", int(now * 1000))
                pipe.pexpire(index, milliseconds, nx=True)
                pipe.pexpire(index, milliseconds, gt=True)
            return pipe.execute()

        return await self._try("put", put) is not None

    async def remove(self, key: str) -> None:
        await self._try("remove", lambda: self._redis.unlink(self._key(key)))

    async def purge(self, tag: str) -> int:
        def count_up() -> Any:
            pipe = self._redis.pipeline(transaction=True)
            pipe.incr(self._version(tag))
            pipe.expire(self._version(tag), LONGEST_S + 3600)
            return pipe.execute()

        if await self._try("purge", count_up) is None:
            raise StoreUnavailable("the cache does not answer; what was to be purged may still be served")
        purged = 0
        # They are not found any more; this gives back their room, a bounded piece at a time.
        while popped := await self._try("purge", lambda: self._redis.zpopmin(self._index(tag), _CHUNK)):
            names = [name for name, _ in popped]
            purged += await self._try("purge", lambda names=names: self._redis.unlink(*names)) or 0  # type: ignore[misc]
        return purged

    async def close(self) -> None:
        await self._redis.aclose()

    async def _try(self, operation: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """The result, None for a failure or while there is an outage."""
        if not self._outage.admit(monotonic()):
            self._observer(CacheFailed(operation, "outage"))
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                result = await work()
        except Exception as error:  # whatever it is that a server or its client says: a cache never fails a request
            if self._outage.failed(monotonic()):
                # Only its kind: the message may name addresses and holds no news.
                _LOG.warning("the cache at server.cache_store does not answer (%s)", type(error).__name__)
            self._observer(CacheFailed(operation, "timeout" if isinstance(error, TimeoutError) else "error"))
            return None
        if self._outage.succeeded():
            _LOG.info("the cache at server.cache_store answers again")
        return result

    def _key(self, key: str) -> str:
        return f"{self._prefix}a:{blake2b(_bytes(key), digest_size=20).hexdigest()}"

    def _version(self, tag: str) -> bytes:
        return _bytes(f"{self._prefix}v:{tag}")

    def _index(self, tag: str) -> bytes:
        return _bytes(f"{self._prefix}t:{tag}")


def _written(kept: Kept, versions: list[int]) -> _Entry:
    if isinstance(kept, Variants):
        return _Entry(versions, kept.names, None)
    fields = [(_bytes(name), _bytes(value)) for name, value in kept.headers]
    return _Entry(versions, (), _Answer(kept.status, fields, kept.body, kept.terms, kept.came_at))


def _read(entry: _Entry) -> Kept:
    answer = entry.answer
    if answer is None:
        return Variants(entry.names)
    headers = [(_text(name), _text(value)) for name, value in answer.fields]
    return Stored(answer.status, headers, answer.body, answer.terms, answer.came_at)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def connect(url: str) -> "Redis":
    """A client that opens its first connection when it is first used."""
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 – an extra, loaded by whom it serves
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    # Who finds all connections in use waits for one, within the time that one look may take.
    pool = BlockingConnectionPool.from_url(
        url, max_connections=_CONNECTIONS, timeout=None, retry=Retry(NoBackoff(), 0), protocol=2
    )
    return Redis.from_pool(pool)  # which closes it too
