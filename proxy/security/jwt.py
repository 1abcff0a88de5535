"""Who has a signed token (RFC 7519, RFC 6750). A token that was checked is remembered until it expires."""

from typing import Any

from proxy.clock import unix_seconds
from proxy.errors import Forbidden, KeysUnavailable
from proxy.message import Request
from proxy.plan.auth import Claims, JwtPlan
from proxy.policy.claims import Rules, check_claims, scopes_of
from proxy.policy.jws import KeySet, TokenRefused, UnknownKey, open_token, parse_key_set
from proxy.security.credentials import Identify, authorization, one_header
from proxy.security.keyring import KeyRing

REMEMBERED = 4096
"""Tokens; the oldest is forgotten for a new one."""


def jwt(plan: JwtPlan, ring: KeyRing | None) -> Identify:
    """Whoever has a token of this issuer for this audience. `ring` has the keys, unless the plan has."""
    return _Tokens(plan, ring).identify


class _Tokens:
    def __init__(self, plan: JwtPlan, ring: KeyRing | None) -> None:
        self._plan = plan
        self._ring = ring
        self._keys: KeySet = parse_key_set(plan.keys) if plan.keys is not None else ()
        self._rules = Rules(plan.issuers, plan.audiences, plan.leeway_s)
        self._good: dict[str, tuple[dict[str, Any], float]] = {}
        self._version = 0

    async def identify(self, request: Request) -> Claims | None:
        token = _token(self._plan, request)
        if token is None:
            return None
        if (ring := self._ring) is not None:
            ring.renew(self._plan.refresh_s, self._plan.cooldown_s)
            self._take_keys(ring)
        now = unix_seconds()
        if (known := self._good.get(token)) is not None:
            if now < known[1]:
                return known[0]
            del self._good[token]
        claims = await self._open(token)
        until = check_claims(claims, self._rules, now)
        if not self._plan.scopes <= scopes_of(claims):
            needed = " ".join(sorted(self._plan.scopes))
            challenge = f'Bearer realm="{self._plan.name}", error="insufficient_scope"'  # RFC 6750 §3.1
            raise Forbidden(f"the token is not good for {needed}", headers={"WWW-Authenticate": challenge})
        if len(self._good) >= REMEMBERED:
            del self._good[next(iter(self._good))]
        self._good[token] = claims, until
        return claims

    def _take_keys(self, ring: KeyRing) -> None:
        if ring.version != self._version:
            # What a key has signed that is gone now is not good any more.
            self._good.clear()
            self._keys, self._version = ring.keys, ring.version

    async def _open(self, token: str) -> dict[str, Any]:
        ring = self._ring
        try:
            return open_token(token, self._keys, self._plan.algorithms)
        except UnknownKey:
            if ring is None:
                raise
        await ring.look_again(self._plan.cooldown_s)
        self._take_keys(ring)
        if not self._keys:
            raise KeysUnavailable("tokens cannot be checked at the moment", headers={"Retry-After": "5"})
        return open_token(token, self._keys, self._plan.algorithms)


def _token(plan: JwtPlan, request: Request) -> str | None:
    if plan.cookie is not None:
        return _cookie(plan.cookie, request)
    if plan.header.lower() == "authorization":
        return authorization(request, "bearer")
    return one_header(request, plan.header)


def _cookie(name: str, request: Request) -> str | None:
    """The value of a cookie that is there once: of two, the upstream might believe the other."""
    pairs = [pair.partition("=") for line in request.headers.getall("Cookie", ()) for pair in line.split(";")]
    values = [value.strip() for said, _, value in pairs if said.strip() == name]
    if len(values) > 1:
        raise TokenRefused("there are several")
    return values[0] if values else None
