"""A way to an upstream that ends as it is told, for what is built around ways."""

import asyncio
from typing import Any

from proxy.events import Event
from proxy.policy.budget import Budget
from proxy.upstream.exchange import Arrived, Cancel, Done, UpstreamRequest, UpstreamResponse
from proxy.upstream.extras import Extras


class Scripted:
    """Each request ends with the next of `ends`, after its seconds. `log` has what happened to which, and when."""

    def __init__(self, *ends: Any) -> None:
        self.ends = list(ends)
        self.requests: list[UpstreamRequest] = []
        self.log: list[tuple[str, int, float]] = []

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        number, loop = len(self.requests), asyncio.get_running_loop()
        self.requests.append(request)
        seconds, end = self.ends[number]
        if seconds < 0:
            raise end
        self._note("begun", number)

        def ended() -> None:
            self._note("ended", number)
            done(end)

        timer = loop.call_later(seconds, ended)

        def cancel() -> None:
            self._note("cancelled", number)
            timer.cancel()

        return cancel

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        cancel = self.begin(request, future.set_result)
        try:
            end = await future
        except asyncio.CancelledError:
            cancel()
            raise
        if isinstance(end, Exception):
            raise end
        assert isinstance(end, UpstreamResponse)
        return end

    async def open(self, request: UpstreamRequest, /) -> Any:
        return Arrived(await self.send(request))

    def _note(self, what: str, number: int) -> None:
        self.log.append((what, number, round(asyncio.get_running_loop().time(), 6)))


class Told(list[Event]):
    """Events, in order."""

    def __call__(self, event: Event, /) -> None:
        self.append(event)


def answer(status: int = 200, **headers: str) -> UpstreamResponse:
    return UpstreamResponse.of(status, headers, b"{}")


def request(method: str = "GET", **more: Any) -> UpstreamRequest:
    return UpstreamRequest(method=method, target="/", headers=[], body=None, max_body=99, **more)


def extras(told: Told, share: float = 0.2, chance: float = 1.0) -> Extras:
    return Extras("u", Budget(share), told, lambda: chance)


async def end_of(begin: Any, asked: UpstreamRequest) -> Any:
    """How a request ends: an answer or an exception."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    begin(asked, future.set_result)
    return await future
