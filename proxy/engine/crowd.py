"""Runs the requests of a fan-out, with a bound on how many are under way at once."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from proxy.engine.ask import Ask, Way
from proxy.engine.fanout import Part, allowed, check_part
from proxy.engine.outcome import Outcome
from proxy.plan.nodes import CallPlan


class Crowd:
    """Asks for every part that has a request and no outcome yet.

    `answered` is told of each as it ends, `ended` once when all have, or when what is left can change nothing any more:
    without a fallback, more failures than are tolerated fail the call.
    """

    def __init__(
        self,
        call: CallPlan,
        way: Way,
        parts: Sequence[Part],
        answered: Callable[[Part, int, float], None],
        ended: Callable[[], None],
        crashed: Callable[[Exception], None],
    ) -> None:
        assert call.fan is not None
        self._call = call
        self._way = way
        self._answered = answered
        self._ended = ended
        self._crashed = crashed
        self._failing = sum(len(part.elements) for part in parts if part.failure)
        self._allowed = allowed(call, parts)
        waiting = [part for part in parts if part.request is not None and part.outcome is None]
        self.size = len(waiting)
        self._waiting = iter(waiting)
        self._open: dict[int, Ask] = {}
        for _ in range(min(call.fan.concurrency, len(waiting))):
            self._next()

    def cancel(self) -> "list[asyncio.Future[Any]]":
        """Stop what is under way and begin nothing more. Gives what is then still to be waited for."""
        self._waiting = iter(())
        left = [rest for ask in self._open.values() if (rest := ask.cancel()) is not None]
        self._open.clear()
        return left

    def _next(self) -> None:
        part = next(self._waiting, None)
        if part is not None:
            assert part.request is not None
            self._open[id(part)] = Ask(self._call, self._way, part.request, partial(self._end, part), self._crashed)

    def _end(self, part: Part, outcome: Outcome, status: int, seconds: float) -> None:
        del self._open[id(part)]
        part.outcome = check_part(self._call, outcome)
        self._answered(part, status, seconds)
        self._failing += len(part.elements) if part.failure else 0
        if self._call.fallback is None and self._failing > self._allowed:
            self.cancel()
        else:
            self._next()
        if not self._open:
            ended, self._ended = self._ended, _nothing
            self._answered = _nothing  # whoever listens knows us: so there is no cycle to collect
            ended()


def _nothing(*_: object) -> None:
    """What is told nobody."""
