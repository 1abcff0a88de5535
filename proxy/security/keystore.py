"""API keys in a Redis or Valkey: given out and taken back without a change of the configuration.

What it said of a key is believed for a while. During an outage the keys that are known stay good, and of all others
nobody can tell.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from proxy.cache.outage import Outage
from proxy.cache.redis import connect
from proxy.clock import monotonic
from proxy.document import InvalidJson, decode_json
from proxy.errors import KeysUnavailable
from proxy.plan.auth import Claims, StoredKeysPlan

_LOG = logging.getLogger("proxy.security.keystore")
REMEMBERED = 4096
"""Keys; the oldest is forgotten for a new one."""


class KeyStore:
    """The keys at one place."""

    def __init__(self, plan: StoredKeysPlan, now: Callable[[], float] = monotonic) -> None:
        self._plan = plan
        self._redis: Any = connect(plan.url)
        self._now = now
        self._outage = Outage()
        self._known: dict[bytes, tuple[Claims, float]] = {}

    async def find(self, digest: bytes) -> Claims | None:
        """Whose key this is the SHA-256 of; None if nobody's. Raises `KeysUnavailable`."""
        now = self._now()
        known = self._known.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        try:
            text = await self._ask(digest)
        except KeysUnavailable:
            if known is not None:
                return known[0]
            raise
        self._known.pop(digest, None)
        if text is None:
            return None
        claims = _claims(text)
        if claims is not None:
            if len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[digest] = claims, now + self._plan.refresh_s
        return claims

    async def _ask(self, digest: bytes) -> bytes | None:
        if not self._outage.admit(self._now()):
            raise _unavailable()
        try:
            async with asyncio.timeout(self._plan.timeout_s):
                text: bytes | None = await self._redis.get(f"{self._plan.prefix}{digest.hex()}")
        except Exception as error:  # whatever it is that a server or its client says: nobody gets in by it
            if self._outage.failed(self._now()):
                # Only its kind: the message may name addresses.
                _LOG.warning("the Redis of API keys does not answer (%s)", type(error).__name__)
            raise _unavailable() from None
        if self._outage.succeeded():
            _LOG.info("the Redis of API keys answers again")
        return text

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _unavailable() -> KeysUnavailable:
    return KeysUnavailable("keys cannot be checked at the moment", headers={"Retry-After": "5"})


def _claims(text: bytes) -> Claims | None:
    """Claims with a `sub`; None after saying that they are none."""
    try:
        claims = decode_json(text)
    except InvalidJson:
        claims = None
    if isinstance(claims, dict) and isinstance(claims.get("sub"), str):
        return claims
    _LOG.warning("the Redis of API keys has a key whose value is not an object of JSON with a sub")
    return None
