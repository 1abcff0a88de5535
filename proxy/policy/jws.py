"""Signed tokens (JWS compact, RFC 7515) and sets of public keys (RFC 7517): which key fits, and whether it signed.

Keys of `oct`, private ones and short ones are never in a set, and a key has its algorithms from its own kind: a token
chooses among keys and algorithms that are allowed, and nothing else in it is believed before its signature is checked.
`jwt` and `cryptography` are imported when the first set is read: a configuration without tokens does not pay.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from proxy.document import InvalidJson, decode_json

# algorithm → the kind of key, and its curve (RFC 7518 §3.1, RFC 8037 §3.1)
ALGORITHMS: dict[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
DEFAULT_ALGORITHMS = ("RS256", "ES256", "EdDSA")
MAX_TOKEN = 16 * 1024
MAX_KEYS = 100
_MIN_RSA_BITS = 2048  # RFC 7518 §3.3
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")

Verify = Callable[[bytes, bytes], bool]


class InvalidKeySet(ValueError):
    """A document that is no set of keys, or has none of use."""


class TokenRefused(Exception):
    """A token that proves nothing. The text is for the client and repeats nothing of the token."""


class UnknownKey(TokenRefused):
    """No key here may have signed it; one that was made since then might."""


class Key(Struct, frozen=True):
    """A public key: its name, and how to check a signature by each algorithm that it is for."""

    kid: str | None
    verify: dict[str, Verify]


KeySet = tuple[Key, ...]


def parse_key_set(document: Any) -> KeySet:
    """The keys of use in a JWK set; others are passed over, as RFC 7517 §5 says. Raises `InvalidKeySet`."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise InvalidKeySet("there is no list 'keys'")
    if len(listed) > MAX_KEYS:
        raise InvalidKeySet(f"there are more than {MAX_KEYS} keys")
    keys = tuple(key for one in listed if isinstance(one, dict) and (key := _parse_key(one)) is not None)
    if not keys:
        raise InvalidKeySet("there is no public key for signatures in it")
    return keys


def _parse_key(jwk: dict[str, Any]) -> Key | None:
    from jwt import InvalidKeyError  # noqa: PLC0415 – for configurations with tokens only
    from jwt.algorithms import get_default_algorithms  # noqa: PLC0415

    kid, operations = jwk.get("kid"), jwk.get("key_ops", ["verify"])
    if "d" in jwk or jwk.get("use", "sig") != "sig" or not isinstance(kid, str | None):
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    known = get_default_algorithms()
    verify: dict[str, Verify] = {}
    for name, (kind, curve) in ALGORITHMS.items():
        if jwk.get("kty") != kind or (curve is not None and jwk.get("crv") != curve) or jwk.get("alg", name) != name:
            continue
        algorithm = known[name]
        try:
            key = algorithm.from_jwk(jwk)
        except (InvalidKeyError, ValueError, TypeError, AttributeError, KeyError):
            return None
        if kind == "RSA" and key.key_size < _MIN_RSA_BITS:
            return None
        verify[name] = partial(_verify, algorithm, key)
    return Key(kid, verify) if verify else None


def _verify(algorithm: Any, key: Any, message: bytes, signature: bytes) -> bool:
    return bool(algorithm.verify(message, key, signature))


def open_token(token: str, keys: KeySet, allowed: frozenset[str]) -> dict[str, Any]:
    """The claims of a token that one of the keys signed by an allowed algorithm. Raises `TokenRefused`."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_TOKEN:
        raise TokenRefused("it is not a signed token")
    header = _object(parts[0])
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise TokenRefused("its algorithm is not allowed")
    if "crit" in header:
        raise TokenRefused("it demands an extension that is not known here")  # RFC 7515 §4.1.11
    if not isinstance(kid, str | None):
        raise TokenRefused("its key has no name")
    named = [key for key in keys if kid is None or key.kid == kid]
    if not named:
        raise UnknownKey("its key is not known")
    # `jku`, `jwk` and `x5u` are where a token says that it should be believed: nobody looks.
    message, signature = f"{parts[0]}.{parts[1]}".encode(), _bytes(parts[2])
    if any(verify(message, signature) for key in named if (verify := key.verify.get(algorithm)) is not None):
        return _object(parts[1])
    raise (UnknownKey if kid is None else TokenRefused)("its signature is wrong")


def _bytes(text: str) -> bytes:
    """Base64url as RFC 7515 §2 has it: no padding, and one spelling only."""
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise TokenRefused("it is not a signed token")
    decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(decoded).rstrip(b"=") != text.encode():
        raise TokenRefused("it is not a signed token")
    return decoded


def _object(text: str) -> dict[str, Any]:
    try:
        value = decode_json(_bytes(text))
    except (InvalidJson, RecursionError):
        raise TokenRefused("it is not a signed token") from None
    if not isinstance(value, dict):
        raise TokenRefused("it is not a signed token")
    return value
