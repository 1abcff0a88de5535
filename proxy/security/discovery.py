"""Where an issuer has what (OpenID Connect Discovery 1.0 §4): fetched when first needed, and anew from time to time."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import ClientError
from msgspec import Struct

from proxy.clock import monotonic
from proxy.document import InvalidJson, decode_json
from proxy.errors import IssuerUnavailable
from proxy.fetching import NotFetched, fetch
from proxy.target import is_http_url

_LOG = logging.getLogger("proxy.security.login")
_REFRESH_S = 3600.0
_COOLDOWN_S = 1.0


class Issuer(Struct, frozen=True):
    """The addresses of an issuer. `end_session` is empty where it has none."""

    authorization: str
    token: str
    jwks: str
    end_session: str = ""


class Discovery:
    """One issuer. What is known of it stays while it is away."""

    def __init__(self, issuer: str, now: Callable[[], float] = monotonic) -> None:
        self._issuer = issuer
        self._now = now
        self._known: Issuer | None = None
        self._due = 0.0
        self._fetching = asyncio.Lock()

    async def find(self) -> Issuer:
        """Its addresses. Raises `IssuerUnavailable`."""
        if self._known is not None and self._now() < self._due:
            return self._known
        async with self._fetching:
            if self._now() >= self._due:
                await self._fetch()
        if self._known is None:
            raise IssuerUnavailable
        return self._known

    async def _fetch(self) -> None:
        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            self._known = _read(await fetch(url), self._issuer)
            self._due = self._now() + _REFRESH_S
        except (ClientError, OSError, TimeoutError, InvalidJson, NotFetched) as error:
            self._due = self._now() + _COOLDOWN_S
            _LOG.warning("%s could not be asked: %s", url, str(error) or type(error).__name__)


def _read(data: bytes, issuer: str) -> Issuer:
    document = decode_json(data)
    # §4.3: exactly what was asked for, or somebody else's document would send logins elsewhere.
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise NotFetched("it is the document of another issuer")
    found: dict[str, str] = {}
    keys = {
        "authorization": "authorization_endpoint",
        "token": "token_endpoint",
        "jwks": "jwks_uri",
        "end_session": "end_session_endpoint",
    }
    for key, name in keys.items():
        url = document.get(name)
        if url is None and key == "end_session":
            continue
        if not isinstance(url, str) or not is_http_url(url) or not url.startswith(issuer.partition("//")[0]):
            raise NotFetched(f"its {name} is no address, or one without TLS")
        found[key] = url
    return Issuer(**found)
