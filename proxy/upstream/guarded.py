"""A way to an upstream or to one endpoint, with a circuit breaker in front of it."""

import asyncio
import logging
from typing import Any

from proxy.errors import BreakerOpen, UpstreamInvalid, UpstreamTimeout, UpstreamUnreachable
from proxy.events import BreakerChanged, Observer
from proxy.policy.breaker import Breaker
from proxy.upstream.exchange import Cancel, Client, Done, StreamedResponse, UpstreamRequest, UpstreamResponse

_LOG = logging.getLogger("proxy.upstream")
# What is the upstream's doing. A limit of ours, a broken request or a defect says nothing of it.
_FAILURES = (UpstreamUnreachable, UpstreamTimeout, UpstreamInvalid)


class Guarded:
    """Asks `way` as long as the breaker lets it. `endpoint` is empty for all of an upstream."""

    def __init__(self, way: Client, breaker: Breaker, upstream: str, endpoint: str, observer: Observer) -> None:
        self._way = way
        self._breaker = breaker
        self._upstream = upstream
        self._endpoint = endpoint
        self._observer = observer
        self._loop = asyncio.get_running_loop()

    def ready(self) -> bool:
        """Whether a request would be let through now."""
        return self._breaker.ready(self._loop.time())

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        return self._breaker.state

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        """`Upstream.begin`. Raises `BreakerOpen`."""
        ticket = self._admit()
        under_way = True

        def ended(answer: UpstreamResponse | Exception) -> None:
            nonlocal under_way
            if under_way:
                under_way = False
                self._over(ticket, _failed(answer))
                done(answer)

        def stop() -> "asyncio.Future[Any] | None":
            nonlocal under_way
            if under_way:
                under_way = False
                self._cancelled(ticket, request)
            return cancel()

        try:
            cancel = self._way.begin(request, ended)
        except Exception:
            self._over(ticket, None)
            raise
        return stop

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        """`Upstream.send`. Raises `BreakerOpen`."""
        ticket = self._admit()
        try:
            answer = await self._way.send(request)
        except BaseException as error:
            self._raised(ticket, error, request)
            raise
        self._over(ticket, _failed(answer))
        return answer

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        """`Opening.open`: the head of the answer decides. Raises `BreakerOpen`."""
        ticket = self._admit()
        try:
            answer = await self._way.open(request)
        except BaseException as error:
            self._raised(ticket, error, request)
            raise
        self._over(ticket, _failed(answer))
        return answer

    def _admit(self) -> int:
        before = self._breaker.state
        now = self._loop.time()
        ticket = self._breaker.admit(now)
        if ticket is None:
            raise BreakerOpen(self._breaker.wait_s(now))
        if self._breaker.state != before:
            self._changed()
        return ticket

    def _raised(self, ticket: int, error: BaseException, request: UpstreamRequest) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._cancelled(ticket, request)
        else:
            self._over(ticket, _failed(error))

    def _cancelled(self, ticket: int, request: UpstreamRequest) -> None:
        """Nobody waits any more: a failure, if that is because it took too long."""
        late = request.deadline is not None and self._loop.time() >= request.deadline
        self._over(ticket, True if late else None)

    def _over(self, ticket: int, failed: bool | None) -> None:
        if self._breaker.ended(ticket, failed, self._loop.time()):
            self._changed()

    def _changed(self) -> None:
        state = self._breaker.state
        level = logging.WARNING if state == "open" else logging.INFO
        where = f"endpoint {self._endpoint}: " if self._endpoint else ""
        _LOG.log(level, "upstream %s: %sthe breaker is %s", self._upstream, where, state.replace("_", " "))
        self._observer(BreakerChanged(self._upstream, self._endpoint, state))


def _failed(answer: UpstreamResponse | StreamedResponse | BaseException) -> bool | None:
    """Whether an end speaks against the upstream; None if it says nothing."""
    if isinstance(answer, BaseException):
        return True if isinstance(answer, _FAILURES) else None
    return answer.status >= 500
