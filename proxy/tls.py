"""TLS to upstreams: contexts out of the files that a configuration names."""

import hashlib
import os
import ssl
from dataclasses import replace

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
