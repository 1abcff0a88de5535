from collections.abc import Callable
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.events import RequestFinished
from proxy.message import Request, Response


@pytest.fixture
def finished() -> Callable[..., RequestFinished]:
    """A request that has its answer; `request` and `response` change what is said of either."""

    def make(response: Response | None = None, **changes: Any) -> RequestFinished:
        async def read_body(limit: int) -> bytes:
            return b""

        given: dict[str, Any] = {
            "method": "GET",
            "raw_target": "/a?token=secret",
            "headers": CIMultiDictProxy(CIMultiDict({"Authorization": "Bearer secret"})),
            "read_body": read_body,
            "id": "r1",
            "client_ip": "192.0.2.1",
            "client_port": 1,
            "scheme": "http",
            "host": "a",
            "received_at": 0.0,
            "path": "/a",
            "query": "token=secret",
            "route": "page",
        }
        return RequestFinished(Request(**{**given, **changes}), response or Response(200, body=b"abc"), 0.0123, 4)

    return make
