"""What the listener's TLS is made of. Paths are whole ones; `stamp` tells one content of a file from another."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePlan:
    """One certificate and the names that it is for, in lower case."""

    cert: str
    key: str | None = None
    names: tuple[str, ...] = ()
    stamp: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTlsPlan:
    """The first certificate is for whoever asks for no name, or for an unknown one. Clients know `port`."""

    certificates: tuple[CertificatePlan, ...]
    min_version: str = "1.2"
    client_ca: str | None = None
    client_optional: bool = False
    port: int | None = None
