"""Tokens that say who we are to an upstream (OAuth 2.0 client credentials, RFC 6749 §4.4): got once, for everybody.

One request for a token is under way at a time, and whoever needs one waits for that one; who goes away does not end it.
"""

import asyncio
import logging
import re
from collections.abc import Callable

from aiohttp import ClientError

from proxy.clock import monotonic
from proxy.document import InvalidJson, decode_json
from proxy.errors import TokenUnavailable
from proxy.fetching import NotFetched, fetch
from proxy.plan.identity import TokenPlan

_LOG = logging.getLogger("proxy.upstream.tokens")
# RFC 6750 §2.1
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
# Of a token that does not say how long it is good.
_UNSAID_S = 60.0
_COOLDOWN_S = 1.0
# One that is younger and is refused all the same would not be better for being got anew.
_YOUNG_S = 5.0


class Tokens:
    """The tokens of one upstream, whose name is for the log."""

    def __init__(self, plan: TokenPlan, upstream: str, now: Callable[[], float] = monotonic) -> None:
        self._plan = plan
        self._upstream = upstream
        self._now = now
        self._token = ""
        self._got_at = self._until = self._renew_at = self._try_at = 0.0
        self._fetching: asyncio.Task[None] | None = None

    @property
    def current(self) -> str | None:
        """One that is good now. One that is not good for long any more is renewed beside the requests."""
        now = self._now()
        if not self._token or now >= self._until:
            return None
        if now >= self._renew_at and now >= self._try_at:
            self._begin()
        return self._token

    async def get(self) -> str:
        """One that is good, as soon as there is one. Raises `TokenUnavailable`."""
        if (token := self.current) is not None:
            return token
        if self._fetching is None and self._now() < self._try_at:
            raise TokenUnavailable
        await asyncio.shield(self._begin())
        if (token := self.current) is None:
            raise TokenUnavailable
        return token

    def refuse(self, token: str) -> bool:
        """The upstream does not take it; whether another one may be tried."""
        if token != self._token:
            return True  # there is another one already
        if self._now() - self._got_at < _YOUNG_S:
            return False
        self._token = ""
        return True

    async def close(self) -> None:
        """Nobody needs one any more."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _begin(self) -> "asyncio.Task[None]":
        if self._fetching is None:
            name = f"token for {self._upstream}"
            self._fetching = asyncio.get_running_loop().create_task(self._fetch(), name=name)
        return self._fetching

    async def _fetch(self) -> None:
        try:
            token, lives_s = _read(await fetch(self._plan.url, dict(self._plan.form), self._plan.client))
            now = self._now()
            self._token, self._got_at, self._until = token, now, now + lives_s * 0.95
            self._renew_at = now + lives_s * 0.75
        except (ClientError, OSError, TimeoutError, NotFetched) as error:
            self._try_at = self._now() + _COOLDOWN_S
            # Neither the address nor what is said there: both may hold secrets.
            said = str(error) if isinstance(error, NotFetched) else type(error).__name__
            _LOG.warning("no token for upstream %s: %s", self._upstream, said)
        finally:
            self._fetching = None


def _read(data: bytes) -> tuple[str, float]:
    """Token and seconds. Raises `NotFetched`."""
    try:
        answer = decode_json(data)
    except InvalidJson:
        raise NotFetched("the answer is not JSON") from None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise NotFetched("the answer has no token")
    if str(answer.get("token_type", "")).lower() != "bearer":
        raise NotFetched("the token is of another type")
    lives = answer.get("expires_in", _UNSAID_S)
    try:
        seconds = float(lives)
    except (TypeError, ValueError):
        raise NotFetched("nobody can say how long the token is good") from None
    if not 1 <= seconds < 1e9:
        raise NotFetched("the token is not good for any time")
    return token, seconds
