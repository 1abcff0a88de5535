"""Tells an upstream how long its answer will be waited for, so that it need not work for nobody."""

import asyncio

from msgspec import structs

from proxy.upstream.exchange import Cancel, Client, Done, StreamedResponse, UpstreamRequest, UpstreamResponse


class Telling:
    """The same way, where each request has the milliseconds that remain in the field `header`."""

    def __init__(self, way: Client, header: str) -> None:
        self._way = way
        self._header = header
        self._loop = asyncio.get_running_loop()

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        """`Upstream.begin`."""
        return self._way.begin(self._told(request), done)

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        """`Upstream.send`."""
        return await self._way.send(self._told(request))

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        """`Opening.open`."""
        return await self._way.open(self._told(request))

    def _told(self, request: UpstreamRequest) -> UpstreamRequest:
        if request.deadline is None:
            return request  # of a body that is still to come: nobody knows
        left = max(1, round((request.deadline - self._loop.time()) * 1000))
        name = self._header.lower()
        headers = [pair for pair in request.headers if pair[0].lower() != name]
        return structs.replace(request, headers=[*headers, (self._header, str(left))])
