from typing import Any

import pytest

from proxy.plan.auth import MtlsPlan
from proxy.policy.jws import TokenRefused
from proxy.security.mtls import mtls

CERT = {"cn": "ann", "fingerprint": "ab", "dns": ["a.b"], "uri": ["spiffe://a", "spiffe://b"], "email": []}


@pytest.mark.parametrize("subject,sub", [("cn", "ann"), ("dns", "a.b"), ("fingerprint", "ab")])
async def test_a_certificate_says_who_asks(subject: str, sub: str, request_of: Any) -> None:
    claims = await mtls(MtlsPlan(name="m", subject=subject))(request_of(cert=CERT))
    assert claims == {**CERT, "sub": sub}


@pytest.mark.parametrize("subject", ["uri", "email"])
async def test_one_that_names_nobody_or_two_is_refused(subject: str, request_of: Any) -> None:
    with pytest.raises(TokenRefused):
        await mtls(MtlsPlan(name="m", subject=subject))(request_of(cert=CERT))


async def test_without_a_certificate_nobody_is_known(request_of: Any) -> None:
    assert await mtls(MtlsPlan(name="m", subject="cn"))(request_of()) is None
