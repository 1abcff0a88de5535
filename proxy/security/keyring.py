"""The public keys of an issuer: fetched, kept, and fetched anew.

Keys that are known stay when the issuer cannot be asked. One fetch is under way at a time, and whoever has to wait
waits for that one; a client that goes away does not end it.
"""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import ClientError

from proxy.background import Background
from proxy.clock import monotonic
from proxy.document import InvalidJson, decode_json
from proxy.fetching import NotFetched, fetch
from proxy.policy.jws import InvalidKeySet, KeySet, parse_key_set
from proxy.policy.refresh import Refresh

_LOG = logging.getLogger("proxy.security.keyring")
_EMPTY_S = 1.0  # between attempts while there is no key at all


class KeyRing:
    """The keys of one URL. `version` grows when they change; `keys` is empty until they were fetched once."""

    def __init__(self, url: str, background: Background, now: Callable[[], float] = monotonic) -> None:
        self.url = url
        self.keys: KeySet = ()
        self.version = 0
        self._document: object = None
        self._background = background
        self._now = now
        self._fetched_at: float | None = None
        self._fetching: asyncio.Future[None] | None = None
        self._tried_at: float | None = None

    def renew(self, interval_s: float, cooldown_s: float) -> None:
        """Have keys that are old fetched anew, without waiting for it."""
        now = self._now()
        if self._fetching is None and Refresh(
            interval_s, self._cooldown(cooldown_s), self._fetched_at, self._tried_at
        ).is_due(now):
            self._begin(now)

    async def look_again(self, cooldown_s: float) -> None:
        """Fetch now, if that may be, and wait for it; also for what somebody else has begun."""
        now = self._now()
        if self._fetching is None and Refresh(
            0.0, self._cooldown(cooldown_s), self._fetched_at, self._tried_at
        ).may_try(now):
            self._begin(now)
        if self._fetching is not None:
            await asyncio.shield(self._fetching)

    def _cooldown(self, cooldown_s: float) -> float:
        return cooldown_s if self.keys else min(cooldown_s, _EMPTY_S)

    def _begin(self, now: float) -> None:
        self._tried_at = now
        self._fetching = asyncio.get_running_loop().create_future()
        self._background.start(f"keys of {self.url}", self._fetch(self._fetching))

    async def _fetch(self, done: asyncio.Future[None]) -> None:
        try:
            document = decode_json(await fetch(self.url))
            keys = parse_key_set(document)
            self._fetched_at = self._now()
            if document != self._document:
                self._document, self.keys = document, keys
                self.version += 1
        except (ClientError, OSError, TimeoutError, InvalidJson, InvalidKeySet, NotFetched, RecursionError) as error:
            _LOG.warning("the keys of %s could not be got: %s", self.url, str(error) or type(error).__name__)
        finally:
            self._fetching = None
            if not done.done():
                done.set_result(None)
