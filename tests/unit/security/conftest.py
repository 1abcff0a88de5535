"""Requests as the gate gets them."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.message import Request
from tests.unit.security.issuer import Issuer, issuing


@pytest.fixture
def request_of() -> Callable[..., Request]:
    def make(*headers: tuple[str, str], query: str = "", **changes: Any) -> Request:
        async def read_body(limit: int) -> bytes:
            return b""

        given: dict[str, Any] = {
            "method": "GET",
            "raw_target": "/",
            "path": "/",
            "query": query,
            "headers": CIMultiDictProxy(CIMultiDict(headers)),
            "read_body": read_body,
            "id": "r1",
            "client_ip": "192.0.2.1",
            "client_port": 5000,
            "scheme": "http",
            "host": "example.com",
            "received_at": 0.0,
        }
        return Request(**{**given, **changes})

    return make


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as one:
        yield one
