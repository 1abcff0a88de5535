"""Values that a browser keeps for us and can neither read nor change: AES-256-GCM (NIST SP 800-38D)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from os import urandom
from typing import Any

from proxy.document import InvalidJson, decode_json, encode_json

_NONCE = 12


class Sealed:
    """Seals with the first of the keys and opens with any. What is sealed for one `purpose` opens for no other."""

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (an extra)

        self._ciphers = [AESGCM(key) for key in keys]
        self._purpose = purpose.encode()

    def seal(self, value: dict[str, Any]) -> str:
        """A text of letters, digits, - and _."""
        nonce = urandom(_NONCE)
        sealed = self._ciphers[0].encrypt(nonce, encode_json(value), self._purpose)
        return urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode("ascii")

    def open(self, text: str) -> dict[str, Any] | None:
        """What was sealed; None if this was not, or with another key, or for something else."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 (an extra)

        try:
            data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (NotBase64, ValueError):
            return None
        for cipher in self._ciphers:
            try:
                value = decode_json(cipher.decrypt(data[:_NONCE], data[_NONCE:], self._purpose))
            except (InvalidTag, InvalidJson, ValueError):
                continue
            return value if isinstance(value, dict) else None
        return None
