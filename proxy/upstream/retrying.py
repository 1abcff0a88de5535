"""Requests that are made again when they fail. What decides is in `policy.retry`; here its decisions are carried out.

An attempt knows which endpoints have had the request (`tried`), and the next goes to another where there is one. The
last attempt's end is the request's own.
"""

import asyncio
from typing import Any

from msgspec import structs

from proxy.clock import unix_seconds
from proxy.errors import GatewayError, UpstreamFailed, UpstreamTimeout
from proxy.policy.retry import RetryPlan, may_repeat, retry_after, wait_for
from proxy.upstream.exchange import (
    Begin,
    Cancel,
    Done,
    Opening,
    StreamedResponse,
    UpstreamRequest,
    UpstreamResponse,
)
from proxy.upstream.extras import Extras


def retrying(begin: Begin, plan: RetryPlan, extras: Extras) -> Begin:
    """The same, with further attempts as `plan` says."""

    def begin_first(request: UpstreamRequest, done: Done) -> Cancel:
        attempts = _Attempts(begin, plan, extras, request, done)
        attempts.go()
        return attempts.cancel

    return begin_first


class _Attempts:
    """One request and its attempts, one at a time."""

    __slots__ = ("_again", "_attempt", "_begin", "_cancel", "_done", "_extras", "_limit", "_loop", "_plan", "_request")

    def __init__(self, begin: Begin, plan: RetryPlan, extras: Extras, request: UpstreamRequest, done: Done) -> None:
        self._begin = begin
        self._plan = plan
        self._extras = extras
        self._request = request
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._attempt = 0
        self._cancel: Cancel | None = None
        self._again: asyncio.TimerHandle | None = None
        self._limit: asyncio.TimerHandle | None = None
        request.tried, request.extra = [], []

    def go(self) -> None:
        """Begin the next attempt. Raises what makes the request impossible to send."""
        self._attempt += 1
        self._again = None
        request = limited(self._request, self._plan.per_try_s, self._loop.time())
        self._cancel = self._begin(request, self._ended)
        if self._plan.per_try_s is not None:
            self._limit = self._loop.call_later(self._plan.per_try_s, self._too_slow)

    def cancel(self) -> "asyncio.Future[Any] | None":
        """Nobody waits any more."""
        for timer in (self._again, self._limit):
            if timer is not None:
                timer.cancel()
        cancel, self._cancel = self._cancel, None
        return None if cancel is None else cancel()

    def _too_slow(self) -> None:
        self._limit = None
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()
            self._ended(_slow(self._plan))

    def _ended(self, answer: UpstreamResponse | Exception) -> None:
        self._cancel = None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        seconds = next_attempt(self._plan, self._extras, self._request, self._attempt, answer, self._loop.time())
        if seconds is None:
            self._done(answer)
        else:
            self._again = self._loop.call_later(seconds, self._go_again)

    def _go_again(self) -> None:
        try:
            self.go()
        except GatewayError as error:
            self._again = None
            self._done(error)


class Retrying:
    """`Opening` with further attempts as `plan` says. A body that is streamed is never begun twice."""

    def __init__(self, upstream: Opening, plan: RetryPlan, extras: Extras) -> None:
        self._upstream = upstream
        self._plan = plan
        self._extras = extras
        self._loop = asyncio.get_running_loop()

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        """The head of the last attempt's answer. Raises what the last attempt raised."""
        self._extras.budget.asked(self._loop.time())
        request.tried, request.extra = [], []
        attempt = 0
        while True:
            attempt += 1
            answer: StreamedResponse | UpstreamFailed
            try:
                answer = await _open(self._upstream, request, self._plan)
            except UpstreamFailed as error:
                answer = error
            seconds = self._next(request, attempt, answer)
            if isinstance(answer, StreamedResponse):
                if seconds is None:
                    return answer
                answer.close()
            elif seconds is None:
                raise answer
            await asyncio.sleep(seconds)

    def _next(self, request: UpstreamRequest, attempt: int, answer: StreamedResponse | UpstreamFailed) -> float | None:
        untouched = isinstance(answer, UpstreamFailed) and answer.unsent
        if request.stream is not None and not untouched:
            return None
        return next_attempt(self._plan, self._extras, request, attempt, answer, self._loop.time())


async def _open(upstream: Opening, request: UpstreamRequest, plan: RetryPlan) -> StreamedResponse:
    if plan.per_try_s is None or request.stream is not None:
        return await upstream.open(request)
    request = limited(request, plan.per_try_s, asyncio.get_running_loop().time())
    try:
        async with asyncio.timeout_at(request.deadline):
            return await upstream.open(request)
    except TimeoutError:
        raise _slow(plan) from None


def limited(request: UpstreamRequest, per_try_s: float | None, now: float) -> UpstreamRequest:
    """The request as one attempt has it: its time is over sooner."""
    if per_try_s is None:
        return request
    end = now + per_try_s
    return structs.replace(request, deadline=end if request.deadline is None else min(end, request.deadline))


def next_attempt(
    plan: RetryPlan,
    extras: Extras,
    request: UpstreamRequest,
    attempt: int,
    answer: UpstreamResponse | StreamedResponse | Exception,
    now: float,
) -> float | None:
    """Seconds until the attempt after one that ended so; None if there is none. Takes it out of the budget."""
    asked_for = None
    if isinstance(answer, Exception):
        wanted = may_repeat(plan, request.method, answer, 0)
    else:
        wanted = may_repeat(plan, request.method, None, answer.status)
        if wanted and "Retry-After" in answer.headers:
            asked_for = retry_after(answer.headers["Retry-After"], unix_seconds())
    if not wanted:
        return None
    remaining = None if request.deadline is None else request.deadline - now
    seconds = wait_for(plan, attempt, extras.chance(), asked_for, remaining)
    if seconds is None or not extras.take("retry", request):
        return None
    return seconds


def _slow(plan: RetryPlan) -> UpstreamTimeout:
    return UpstreamTimeout(f"no answer within the {plan.per_try_s:g} s of an attempt")
