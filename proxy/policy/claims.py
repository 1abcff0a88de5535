"""Whether the claims of a token (RFC 7519 §4.1) hold here and now. The signature is somebody else's question."""

from typing import Any

from msgspec import Struct

from proxy.policy.jws import TokenRefused


class Rules(Struct, frozen=True):
    """What a token must say. No issuers: any; no audiences: only tokens that are for nobody in particular."""

    issuers: frozenset[str]
    audiences: frozenset[str]
    leeway_s: float


def check_claims(claims: dict[str, Any], rules: Rules, now: float) -> float:
    """The moment up to which they hold, in seconds since 1970, as `now` is. Raises `TokenRefused`."""
    until = _moment(claims, "exp")
    if until is None:
        raise TokenRefused("it never expires")
    if now >= until + rules.leeway_s:
        raise TokenRefused("it has expired")
    start = _moment(claims, "nbf")
    if start is not None and now < start - rules.leeway_s:
        raise TokenRefused("it is not valid yet")
    issuer = claims.get("iss")
    if rules.issuers and not (isinstance(issuer, str) and issuer in rules.issuers):
        raise TokenRefused("its issuer is another one")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [] if audience is None else [audience]
    if (named or rules.audiences) and not any(isinstance(one, str) and one in rules.audiences for one in named):
        raise TokenRefused("it is for somebody else")  # §4.1.3
    return until + rules.leeway_s


def scopes_of(claims: dict[str, Any]) -> frozenset[str]:
    """What a token is good for: words in `scope` (RFC 8693 §4.2), or the list `scp` that some issuers write."""
    found = claims.get("scope", claims.get("scp"))
    words = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
    return frozenset(word for word in words if isinstance(word, str))


def _moment(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(f"its {name} is not a time")
    return value
