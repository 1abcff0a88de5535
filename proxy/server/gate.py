"""Where requests wait when more come than the process can answer (`policy.shedding` says how many it takes on).

Who comes last goes first: that one is still waited for, and is answered soon. Who has waited for `wait_s` gets 503.
Refusing at once would be kinder to nobody: a client that is refused comes back, and each time costs time.
"""

import asyncio
import logging
from collections import deque

from aiohttp.web_request import BaseRequest
from multidict import CIMultiDict

from proxy.clock import monotonic
from proxy.document import encode_json
from proxy.errors import PROBLEM_TYPE, Overloaded, to_problem
from proxy.events import Observer, RequestShed
from proxy.policy.shedding import FLOOR, PULSE_S, Shedding
from proxy.server.whole import WholeAnswer

_LOG = logging.getLogger("proxy.server")
_SAY_EVERY_S = 5.0


class Gate:
    """Count a request in `active` if that is below `limit`, or else `wait`; at its end count it out and `leave`.

    `limit` is low until it is first reached: so long nobody looks whether the process is late.
    """

    __slots__ = (
        "_count",
        "_due",
        "_observer",
        "_said_at",
        "_waiting",
        "active",
        "limit",
        "policy",
        "wait_s",
    )

    def __init__(self, observer: Observer, lag_s: float = 0.01, after_s: float = 1.0, wait_s: float = 1.0) -> None:
        self.policy = Shedding(lag_s, after_s)
        self.wait_s = wait_s
        self.active = 0
        self.limit: float = FLOOR
        self._observer = observer
        self._waiting: deque[tuple[float, asyncio.Future[bool]]] = deque()
        self._due: float | None = None
        self._said_at = float("-inf")
        self._count = 0

    def change(self, lag_s: float, after_s: float, wait_s: float) -> None:
        """Other limits from now on."""
        self.policy.change(lag_s, after_s)
        self.wait_s = wait_s

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def wait(self, base: BaseRequest) -> WholeAnswer | None:
        """Wait to be let in, which is None, or refused."""
        if self._due is None:
            self._look_on()
        if self.active < self.limit:
            self.active += 1
            return None
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((monotonic(), waiter))
        try:
            let_in = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.active -= 1
                self.leave()
            raise
        return None if let_in else refusal(base)

    def leave(self) -> None:
        """There may be room: the one that came last is next, and has its place from now on."""
        while self._waiting and self.active < self.limit:
            _, waiter = self._waiting.pop()
            if not waiter.done():
                self.active += 1
                waiter.set_result(True)

    def _look_on(self) -> None:
        """From now on the process is watched, until it is calm and has little in hand."""
        self.limit = self.policy.limit
        self._due = monotonic() + PULSE_S
        asyncio.get_running_loop().call_later(PULSE_S, self._pulse)

    def _pulse(self) -> None:
        now = monotonic()
        assert self._due is not None
        self.policy.pulse(max(0.0, now - self._due), self.active, now)
        self.limit = self.policy.limit
        self._refuse_old(now)
        self.leave()
        if self.policy.calm and self.active < FLOOR and not self._waiting:
            self._due, self.limit = None, FLOOR
        else:
            self._look_on()

    def _refuse_old(self, now: float) -> None:
        while self._waiting and now - self._waiting[0][0] >= self.wait_s:
            came_at, waiter = self._waiting.popleft()
            if waiter.done():
                continue  # its client has gone
            waiter.set_result(False)
            self._observer(RequestShed(now - came_at))
            self._count += 1
        if self._count and now - self._said_at >= _SAY_EVERY_S:
            _LOG.warning("overloaded: %d requests refused, %g are taken on at once", self._count, self.limit)
            self._said_at, self._count = now, 0


def refusal(base: BaseRequest) -> WholeAnswer:
    """503 for as little work as possible: there is no time for more."""
    return WholeAnswer(503, _HEADERS, _BODY, length=None, close=base.can_read_body)


_PROBLEM = to_problem(Overloaded(), route=None, request_id="")
del _PROBLEM["request_id"]  # nobody will look for it: it is in no log
_BODY = encode_json(_PROBLEM)
_HEADERS = CIMultiDict({"Content-Type": PROBLEM_TYPE, "Cache-Control": "no-store", **Overloaded().headers})
