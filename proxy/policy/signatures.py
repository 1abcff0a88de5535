"""HTTP Message Signatures (RFC 9421) of requests, and digests of bodies (RFC 9530). Pure: the moment is an argument."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence

Sign = Callable[[bytes], bytes]
"""The signature of a signature base."""

DERIVED = ("@method", "@authority", "@path", "@query", "@target-uri", "@request-target")
"""Components that are no fields (§2.2); those of these that are known here."""


def hmac_sha256(secret: bytes) -> Sign:
    """§3.3.3"""
    return lambda base: hmac.digest(secret, base, hashlib.sha256)


def content_digest(body: bytes) -> str:
    """The value of Content-Digest (RFC 9530 §2)."""
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode('ascii')}:"


def components_of(method: str, scheme: str, authority: str, target: str) -> dict[str, str]:
    """The derived components of a request; `target` is path and query as they are sent."""
    path, mark, query = target.partition("?")
    return {
        "@method": method,
        "@authority": authority.lower(),
        "@path": path or "/",
        "@query": f"?{query}",
        "@target-uri": f"{scheme}://{authority.lower()}{path}{mark}{query}",
        "@request-target": target,
    }


def field_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The values of fields by their names in lower case: stripped, those of one name joined (§2.1)."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.lower(), []).append(" ".join(value.split("\r\n")).strip(" \t"))
    return {name: ", ".join(values) for name, values in found.items()}


def signature_fields(
    covers: Sequence[str], known: Mapping[str, str], *, created: int, key_id: str, sign: Sign, label: str = "sig"
) -> list[tuple[str, str]]:
    """Signature-Input and Signature for what is known of the components; what is not there is not covered."""
    covered = [name for name in covers if name in known]
    listed = " ".join(f'"{name}"' for name in covered)
    parameters = f'({listed});created={created};keyid="{key_id}"'
    lines = [f'"{name}": {known[name]}' for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {parameters}'])
    signature = b64encode(sign(base.encode("utf-8", "surrogateescape"))).decode("ascii")
    return [("Signature-Input", f"{label}={parameters}"), ("Signature", f"{label}=:{signature}:")]
