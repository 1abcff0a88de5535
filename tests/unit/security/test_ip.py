from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.errors import Forbidden
from proxy.message import Response
from proxy.plan.ip import IpPlan
from proxy.security.ip import from_allowed_addresses


async def answer(request: Any) -> Response:
    return Response(200)


def test_without_rules_there_is_no_layer() -> None:
    assert from_allowed_addresses(None) is None


async def test_who_comes_from_elsewhere_is_refused() -> None:
    layer = from_allowed_addresses(IpPlan(allow=(ip_network("10.0.0.0/8"),)))
    assert layer is not None
    service: Any = layer(answer)
    assert (await service(SimpleNamespace(client_ip="10.0.0.1"))).status == 200
    for _ in range(2):
        with pytest.raises(Forbidden):
            await service(SimpleNamespace(client_ip="192.0.2.1"))
