"""One request under way, within the time that its call has. No task: the answer comes as a callback."""

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from proxy.clock import monotonic
from proxy.document import decode_json
from proxy.engine.call import judge
from proxy.engine.outcome import Failed, Outcome
from proxy.engine.timers import Timers
from proxy.errors import GatewayError, UpstreamTimeout
from proxy.expr.decoding import Decode
from proxy.plan.nodes import CallPlan
from proxy.upstream.exchange import Begin, Cancel, UpstreamRequest, UpstreamResponse


class Way(Struct, frozen=True):
    """How a call is asked: `begin` sends a request, `decode` reads its answer, `timers` end its time."""

    begin: Begin
    decode: Decode = decode_json
    timers: Timers | None = None


Ended = Callable[[Outcome, int, float], None]
"""Told the outcome, the status (0 without an answer) and the seconds that it took."""


class Ask:
    """Sends a request. `ended` is called once, later; `crashed` instead, if what it does has a defect."""

    __slots__ = ("_call", "_cancel", "_crashed", "_decode", "_ended", "_over", "_timer", "started")

    def __init__(
        self,
        call: CallPlan,
        way: Way,
        request: UpstreamRequest,
        ended: Ended,
        crashed: Callable[[Exception], None],
    ) -> None:
        self._call = call
        self._ended = ended
        self._crashed = crashed
        self._over = False
        self._decode = way.decode
        self.started = monotonic()
        self._timer = None if way.timers is None else way.timers.start(self._expire)
        if self._timer is not None and (request.deadline is None or self._timer.due < request.deadline):
            request.deadline = self._timer.due
        self._cancel: Cancel | None = None
        try:
            self._cancel = way.begin(request, self._answered)
        except GatewayError as error:
            asyncio.get_running_loop().call_soon(self._answered, error)

    def cancel(self) -> "asyncio.Future[Any] | None":
        """Stop, if it is still under way. Gives what is then to be waited for, if anything."""
        if self._over:
            return None
        cancel = self._cancel
        self._stop()
        return None if cancel is None else cancel()

    def _stop(self) -> None:
        self._over = True
        self._cancel = None  # it knows us: so there is no cycle to collect
        if self._timer is not None:
            self._timer.callback = None  # as cancel() does

    def _expire(self) -> None:
        self.cancel()
        self._tell(Failed(UpstreamTimeout(f"no answer within {self._call.timeout_s:g} s")), 0)

    def _answered(self, answer: UpstreamResponse | Exception) -> None:
        if self._over:
            return
        self._stop()
        if isinstance(answer, UpstreamResponse):
            try:
                outcome = judge(self._call, answer, self._decode)
            except Exception as defect:
                self._crashed(defect)
                return
            self._tell(outcome, answer.status)
        elif isinstance(answer, GatewayError):
            self._tell(Failed(answer), 0)
        else:
            self._crashed(answer)

    def _tell(self, outcome: Outcome, status: int) -> None:
        try:
            self._ended(outcome, status, monotonic() - self.started)
        except Exception as defect:  # whoever called back would not know what to do with it
            self._crashed(defect)
