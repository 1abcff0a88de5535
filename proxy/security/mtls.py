"""Who has a certificate: the handshake has checked it, this says whose it is."""

from proxy.message import Request
from proxy.plan.auth import Claims, MtlsPlan
from proxy.policy.jws import TokenRefused
from proxy.security.credentials import Identify


def mtls(plan: MtlsPlan) -> Identify:
    """Whoever has one that names somebody. `$.claims` has `sub`, and all that is told of the certificate."""

    async def identify(request: Request) -> Claims | None:
        cert = request.cert
        if cert is None:
            return None
        value = cert[plan.subject]
        if isinstance(value, list):
            # Of two names nobody knows which one is meant.
            value = value[0] if len(value) == 1 else ""
        if not value:
            raise TokenRefused(f"the certificate has no {plan.subject} of its own")
        return {**cert, "sub": value}

    return identify
