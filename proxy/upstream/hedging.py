"""Hedged requests (Dean and Barroso, "The Tail at Scale", 2013): a slow one gets a second beside it, the first good
answer counts, and the other is cancelled.
"""

import asyncio
from functools import partial
from typing import Any

from proxy.errors import GatewayError
from proxy.events import ExtraRequest
from proxy.upstream.exchange import Begin, Cancel, Done, UpstreamRequest, UpstreamResponse
from proxy.upstream.extras import Extras


def hedging(begin: Begin, after_s: float, extras: Extras) -> Begin:
    """The same, with a second request where the first has not ended within `after_s`."""

    def begin_race(request: UpstreamRequest, done: Done) -> Cancel:
        race = _Race(begin, extras, request, done)
        race.start(after_s)
        return race.cancel

    return begin_race


class _Race:
    """One request, or two. `done` is told of the first that is well, or of the last."""

    __slots__ = ("_begin", "_done", "_extras", "_request", "_running", "_timer")

    def __init__(self, begin: Begin, extras: Extras, request: UpstreamRequest, done: Done) -> None:
        self._begin = begin
        self._extras = extras
        self._request = request
        self._done = done
        self._running: dict[int, Cancel] = {}
        self._timer: asyncio.TimerHandle | None = None
        if request.tried is None:
            request.tried, request.extra = [], []

    def start(self, after_s: float) -> None:
        """Begin the first. Raises what makes the request impossible to send."""
        self._running[0] = self._begin(self._request, partial(self._ended, 0))
        self._timer = asyncio.get_running_loop().call_later(after_s, self._second)

    def cancel(self) -> "asyncio.Future[Any] | None":
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
        running, self._running = self._running, {}
        rest = [left for stop in running.values() if (left := stop()) is not None]
        return asyncio.gather(*rest, return_exceptions=True) if len(rest) > 1 else rest[0] if rest else None

    def _second(self) -> None:
        self._timer = None
        if not self._extras.take("hedge", self._request):
            return
        try:
            self._running[1] = self._begin(self._request, partial(self._ended, 1))
        except GatewayError:
            return  # there is one under way

    def _ended(self, which: int, answer: UpstreamResponse | Exception) -> None:
        del self._running[which]
        ill = isinstance(answer, Exception) or answer.status >= 500
        if ill and self._running:
            return  # the other may still be well
        if which == 1 and not ill:
            self._extras.observer(ExtraRequest(self._extras.upstream, "hedge", "won"))
        self.cancel()
        self._done(answer)
