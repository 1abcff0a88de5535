"""Composites with upstreams that a test holds in its hand."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.clock import monotonic
from proxy.document import encode_json
from proxy.loading import load
from proxy.message import Request
from proxy.plan.nodes import RoutePlan
from proxy.upstream.beginning import begin_by_task
from proxy.upstream.exchange import Cancel, Done, UpstreamRequest, UpstreamResponse


class Hand:
    """An upstream whose answers wait for the test to give them."""

    def __init__(self) -> None:
        self.sent: list[UpstreamRequest] = []
        self.cancelled: list[str] = []
        self._answers: dict[str, asyncio.Future[UpstreamResponse]] = {}
        self._asked: dict[str, asyncio.Event] = {}

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        self.sent.append(request)
        self._event(request.target).set()
        try:
            return await self._answer(request.target)
        except asyncio.CancelledError:
            self.cancelled.append(request.target)
            raise

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        return begin_by_task(self.send, request, done)

    def _event(self, target: str) -> asyncio.Event:
        return self._asked.setdefault(target, asyncio.Event())

    def _answer(self, target: str) -> asyncio.Future[UpstreamResponse]:
        if target not in self._answers:
            self._answers[target] = asyncio.get_running_loop().create_future()
        return self._answers[target]

    async def asked(self, *targets: str) -> None:
        """Wait until these have been asked for."""
        async with asyncio.timeout(5):
            for target in targets:
                await self._event(target).wait()

    def answer(
        self, target: str, value: Any = None, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Let a target answer with a JSON value; an exception is raised instead."""
        future = self._answer(target)
        if isinstance(value, Exception):
            future.set_exception(value)
        else:
            body = value if isinstance(value, bytes) else encode_json(value)
            future.set_result(UpstreamResponse.of(status, CIMultiDict(headers or {}), body))

    def forget(self, target: str) -> None:
        """The answer was for those who asked till now."""
        del self._answers[target]

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.sent]


@pytest.fixture
async def hand() -> Hand:
    return Hand()


@pytest.fixture
def route_of(tmp_path: Path) -> Callable[[str], RoutePlan]:
    """The plan of a route whose calls and merge are given; its upstream is called `u`."""

    def make(text: str) -> RoutePlan:
        body = "\n".join(f"    {line}" for line in text.strip("\n").splitlines())
        config = f"version: 1\nupstreams: {{u: 'http://u'}}\nroutes:\n  - name: page\n    match: /page/{{id}}\n{body}\n"
        (tmp_path / "routes.yaml").write_text(config)
        loaded = load(str(tmp_path / "routes.yaml"), {})
        assert loaded.plan is not None, [str(problem) for problem in loaded.problems]
        return loaded.plan.routes[0]

    return make


def make_request(**changes: Any) -> Request:
    async def read_body(limit: int) -> bytes:
        return bytes(changes.get("body", b""))

    headers = CIMultiDictProxy(CIMultiDict(changes.get("headers", {})))
    return Request(
        method=changes.get("method", "GET"),
        raw_target="/page/7",
        headers=headers,
        read_body=read_body,
        id="r1",
        client_ip="192.0.2.1",
        client_port=5000,
        scheme="http",
        host="example.com",
        received_at=monotonic(),
        path="/page/7",
        query=changes.get("query", ""),
        route="page",
        max_body=1000,
        params=changes.get("params", {"id": "7"}),
    )


@pytest.fixture
def request_of() -> Callable[..., Request]:
    return make_request
