"""TLS to upstreams and of the listener: contexts out of the files that a configuration names."""

import hashlib
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from proxy.plan.tls import CertificatePlan, ServerTlsPlan
from proxy.plan.upstreams import TlsPlan


class UnusableFile(Exception):
    """A file that cannot be read or is not what it should be. `key` says which of the keys of `tls` names it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


def read_files(plan: TlsPlan, folder: str) -> tuple[TlsPlan, dict[str, bytes | None]]:
    """The plan with full paths and a stamp of the files, and what each file holds, None if it cannot be read."""
    ca, cert, key = (path and os.path.join(folder, path) for path in (plan.ca, plan.cert, plan.key))
    contents = {path: _read(path) for path in (ca, cert, key) if path is not None}
    digest = hashlib.blake2b(digest_size=16)
    for data in contents.values():
        digest.update(b"%d:" % len(data or b"") + (data or b""))
    return replace(plan, ca=ca, cert=cert, key=key, stamp=digest.hexdigest()), contents


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError):
        return None


def make_context(plan: TlsPlan | None) -> ssl.SSLContext:
    """What connections are made with. Raises `UnusableFile`."""
    context = _trusting(plan.ca if plan is not None else None)
    context.set_alpn_protocols(["http/1.1"])  # RFC 7301: a server of HTTP/2 must not take us for one of its own
    if plan is None:
        return context
    if plan.cert is not None:
        _identify(context, plan.cert, plan.key)
    if not plan.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trusting(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise UnusableFile("ca", "this file holds no certificate of an authority") from None
    except (OSError, ValueError):
        raise UnusableFile("ca", "this file cannot be read") from None


def _identify(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    try:
        # Without a password OpenSSL would ask the terminal for one.
        context.load_cert_chain(cert, key, password=b"")
    except ssl.SSLError:
        what = "key" if key is not None else "cert"
        raise UnusableFile(what, "certificate and key do not fit, are no PEM, or the key is encrypted") from None
    except (OSError, ValueError):
        what = "cert" if key is None or not os.access(cert, os.R_OK) else "key"
        raise UnusableFile(what, "this file cannot be read") from None


@dataclass(frozen=True, slots=True)
class Certificates:
    """The contexts of a listener: by name, those of wildcards by what follows the star, and the one for all others."""

    default: ssl.SSLContext
    named: Mapping[str, ssl.SSLContext]
    below: Mapping[str, ssl.SSLContext]

    def pick(self, name: str | None) -> ssl.SSLContext:
        """The context for a server name (RFC 6066 §3); a star stands for one label (RFC 9525 §6.3)."""
        if name is None:
            return self.default
        lowered = name.lower().removesuffix(".")
        return self.named.get(lowered) or self.below.get(lowered.partition(".")[2]) or self.default


def read_server_files(plan: ServerTlsPlan, folder: str) -> tuple[ServerTlsPlan, dict[str, bytes | None]]:
    """The plan with full paths and stamps, and what each file holds, None if it cannot be read."""
    contents: dict[str, bytes | None] = {}
    certificates = []
    for one in plan.certificates:
        as_client, read = read_files(TlsPlan(cert=one.cert, key=one.key), folder)
        contents.update(read)
        assert as_client.cert is not None
        certificates.append(replace(one, cert=as_client.cert, key=as_client.key, stamp=as_client.stamp))
    client_ca = plan.client_ca and os.path.join(folder, plan.client_ca)
    if client_ca is not None:
        contents[client_ca] = _read(client_ca)
    return replace(plan, certificates=tuple(certificates), client_ca=client_ca), contents


def make_certificates(plan: ServerTlsPlan) -> Certificates:
    """The contexts of a plan whose files were read. Raises `UnusableFile`, its key as `certificates.0.cert`."""
    contexts = []
    for index, one in enumerate(plan.certificates):
        try:
            contexts.append(_serving(plan, one))
        except UnusableFile as error:
            key = error.key if error.key == "client_ca" else f"certificates.{index}.{error.key}"
            raise UnusableFile(key, str(error)) from None
    pairs = [(name, context) for one, context in zip(plan.certificates, contexts, strict=True) for name in one.names]
    return Certificates(
        default=contexts[0],
        named={name: context for name, context in pairs if not name.startswith("*.")},
        below={name[2:]: context for name, context in pairs if name.startswith("*.")},
    )


def _serving(plan: ServerTlsPlan, one: CertificatePlan) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if plan.min_version == "1.3" else ssl.TLSVersion.TLSv1_2
    # Forward secrecy and authenticated encryption only (RFC 9325 §4.2); those of TLS 1.3 are all such.
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    _identify(context, one.cert, one.key)
    if plan.client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL if plan.client_optional else ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(cafile=plan.client_ca)
        except ssl.SSLError:
            raise UnusableFile("client_ca", "this file holds no certificate of an authority") from None
        except (OSError, ValueError):
            raise UnusableFile("client_ca", "this file cannot be read") from None
    return context


def entrance(plan: ServerTlsPlan, current: Callable[[], Certificates | None]) -> ssl.SSLContext:
    """The context that a listener is opened with: each handshake gets the certificate that is current then."""
    context = _serving(plan, plan.certificates[0])

    def choose(connection: "ssl.SSLSocket | ssl.SSLObject", name: str | None, _: ssl.SSLContext) -> None:
        certificates = current()
        if certificates is not None:
            connection.context = certificates.pick(name)

    context.sni_callback = choose
    return context
