"""What is told of a client's certificate, once the handshake has checked it."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from ssl import cert_time_to_seconds
from typing import Any

# RFC 4514 §3; others are called by the name that OpenSSL gives them.
_SHORT = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_KINDS = {"DNS": "dns", "URI": "uri", "email": "email"}


def certificate_of(transport: asyncio.BaseTransport) -> Mapping[str, Any] | None:
    """The certificate of a connection's client; None if there is none.

    `subject` and `issuer` as in RFC 4514, `cn` (empty if there is none, or more than one), `serial` and the SHA-256
    `fingerprint` in hex, `not_after` as RFC 3339 has it, and the alternative names: lists `dns`, `uri`, `email`.
    """
    peer = transport.get_extra_info("ssl_object")
    fields = peer.getpeercert() if peer is not None else None
    if not fields:
        return None
    names: dict[str, list[str]] = {kind: [] for kind in _KINDS.values()}
    for kind, value in fields.get("subjectAltName", ()):
        if kind in _KINDS:
            names[_KINDS[kind]].append(value)
    subject = [pair for part in fields.get("subject", ()) for pair in part]
    common = [value for name, value in subject if name == "commonName"]
    expires = datetime.fromtimestamp(cert_time_to_seconds(fields["notAfter"]), UTC)
    return {
        "subject": _distinguished(fields.get("subject", ())),
        # Of two nobody knows which one the authority has looked at.
        "cn": common[0] if len(common) == 1 else "",
        "issuer": _distinguished(fields.get("issuer", ())),
        "serial": fields["serialNumber"].lower(),
        "fingerprint": hashlib.sha256(peer.getpeercert(binary_form=True)).hexdigest(),
        "not_after": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **names,
    }


def _distinguished(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    """RFC 4514 §2: the last part first."""
    texts = ["+".join(f"{_SHORT.get(name, name)}={_escaped(value)}" for name, value in part) for part in parts]
    return ",".join(reversed(texts))


def _escaped(value: str) -> str:
    text = "".join(f"\\{char}" if char in ',+"\\<>;=' else char for char in value).replace("\0", "\\00")
    if text.startswith((" ", "#")):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and len(text) > 1 else text
