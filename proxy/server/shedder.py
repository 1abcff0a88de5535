"""Refuses requests that have waited too long, for as little as possible: there is no time for more."""

import logging

from aiohttp.web_request import BaseRequest
from multidict import CIMultiDict

from proxy.clock import monotonic
from proxy.document import encode_json
from proxy.errors import PROBLEM_TYPE, Overloaded, to_problem
from proxy.events import Observer, RequestShed
from proxy.policy.shedding import Shedding
from proxy.server.whole import WholeAnswer

_LOG = logging.getLogger("proxy.server")
_SAY_EVERY_S = 5.0


class Shedder:
    """Looks at the age of each request."""

    def __init__(self, policy: Shedding, observer: Observer) -> None:
        self._policy = policy
        self._observer = observer
        error = Overloaded()
        self._headers = CIMultiDict({"Content-Type": PROBLEM_TYPE, "Cache-Control": "no-store", **error.headers})
        problem = to_problem(error, route=None, request_id="")
        del problem["request_id"]  # nobody will look for it
        self._body = encode_json(problem)
        self._said_at = float("-inf")
        self._count = 0

    def answer(self, base: BaseRequest) -> WholeAnswer | None:
        """The answer to a request that is refused; None to every other."""
        protocol = base.protocol
        came_at = getattr(protocol, "came_at", 0.0)
        if not came_at:
            return None
        protocol.came_at = 0.0  # type: ignore[attr-defined]
        now = monotonic()
        age = now - came_at
        if age <= self._policy.wait_s or not self._policy.sheds(age, now):
            return None
        self._tell(age, now)
        return WholeAnswer(503, self._headers, self._body, length=None, close=base.can_read_body)

    def _tell(self, age: float, now: float) -> None:
        self._observer(RequestShed(age))
        self._count += 1
        if now - self._said_at >= _SAY_EVERY_S:
            _LOG.warning("overloaded: %d requests refused, the last after %.0f ms", self._count, age * 1000)
            self._said_at, self._count = now, 0
