"""The listener's TLS: model → plan. Whether the files can be used is found out by who may read them."""

import re

from proxy.config.server import ServerTls
from proxy.plan.tls import CertificatePlan, ServerTlsPlan
from proxy.problems import Place

_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def compile_server_tls(tls: ServerTls | None, place: Place) -> ServerTlsPlan | None:
    """None where the listener speaks plain HTTP."""
    if tls is None:
        return None
    certificates = []
    seen: set[str] = set()
    for index, one in enumerate(tls.certificates):
        here = place / "certificates" / index
        if index and not one.names:
            here.problem("missing-key", "nobody would get this certificate", "write names: [example.com]", at_key=True)
        names = tuple(name.lower() for name in one.names)
        for number, name in enumerate(names):
            at = here / "names" / number
            if not _NAME.fullmatch(name):
                at.problem("bad-host", f"{name!r} is no host", "write a.example.com or *.example.com")
            elif name in seen:
                at.problem("duplicate-name", f"{name!r} has a certificate already", "leave it out")
            seen.add(name)
        certificates.append(CertificatePlan(cert=one.cert, key=one.key, names=names))
    return ServerTlsPlan(
        certificates=tuple(certificates),
        min_version=tls.min_version,
        client_ca=tls.client_ca,
        client_optional=tls.client_auth == "optional",
        port=tls.port,
    )
