"""What tests of several kinds share: a gateway on real sockets, in this process."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from proxy.gateway import Gateway
from proxy.server.listener import Listener

Serving = Callable[..., AbstractAsyncContextManager[str]]


@asynccontextmanager
async def _serving(config: Path, env: Mapping[str, str] | None = None) -> AsyncIterator[str]:
    gateway = Gateway(config, env=env or {})
    await gateway.load("start")
    listener = Listener(gateway.make_adapter(), max_line=gateway.current.plan.server.max_target)
    host, port = await listener.open("127.0.0.1", 0)
    try:
        yield f"http://{host}:{port}"
    finally:
        await listener.close(1)
        await gateway.close()


@pytest.fixture
def serving() -> Serving:
    """`async with serving(config, env) as url`: a gateway that serves a file."""
    return _serving
