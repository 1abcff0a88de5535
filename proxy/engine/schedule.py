"""Which call may go now. Pure: it is told what happened, and says what may happen next.

A call goes the moment the calls it reads are settled: no layers, no waves. A fallback goes once its call has failed
and the calls that the fallback reads are settled; calls marked lazy go only when somebody who goes needs them.
"""

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from proxy.plan.nodes import CallPlan


class State(Enum):
    """Where a call stands."""

    IDLE = "idle"
    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"  # its fallback waits for other calls
    SETTLED = "settled"


class Next(Struct):
    """Indices of calls that may be sent and of calls whose fallback may be evaluated."""

    calls: list[int] = []
    fallbacks: list[int] = []


class Order(Struct, frozen=True):
    """What a schedule needs to know of a plan, found once: which calls wait for which."""

    requires: tuple[tuple[int, ...], ...]
    fallback_requires: tuple[tuple[int, ...], ...]
    waiting_for: tuple[tuple[int, ...], ...]
    wanted: tuple[int, ...]


def order_of(calls: Sequence[CallPlan]) -> Order:
    """The order of a plan's calls. `wanted` are those that are not lazy."""
    waiting_for = tuple(
        tuple(call.index for call in calls if at in call.requires or at in call.fallback_requires)
        for at in range(len(calls))
    )
    return Order(
        tuple(call.requires for call in calls),
        tuple(call.fallback_requires for call in calls),
        waiting_for,
        tuple(call.index for call in calls if not call.lazy),
    )


class Schedule:
    """The progress of one request through its calls."""

    __slots__ = ("_open", "_order", "_states")

    def __init__(self, order: Order) -> None:
        self._order = order
        self._states = [State.IDLE] * len(order.requires)
        self._open = 0

    @property
    def finished(self) -> bool:
        """Whether everything that was started is settled."""
        return self._open == 0

    def state(self, index: int) -> State:
        return self._states[index]

    def start(self) -> Next:
        """Begin: every call that is not lazy is wanted."""
        result = Next()
        for index in self._order.wanted:
            self._want(index, result)
        return result

    def settle(self, index: int) -> Next:
        """The call has its value."""
        self._states[index] = State.SETTLED
        self._open -= 1
        result = Next()
        for waiting in self._order.waiting_for[index]:
            state = self._states[waiting]
            if state is State.WAITING and self._settled(self._order.requires[waiting]):
                self._states[waiting] = State.RUNNING
                result.calls.append(waiting)
            elif (
                state is State.FAILED
                and index in self._order.fallback_requires[waiting]
                and self._settled(self._order.fallback_requires[waiting])
            ):
                result.fallbacks.append(waiting)
        return result

    def fail(self, index: int) -> Next:
        """The call failed and has a fallback: what must go for it, or the fallback itself."""
        self._states[index] = State.FAILED
        result = Next()
        needs = self._order.fallback_requires[index]
        if self._settled(needs):
            result.fallbacks.append(index)
        for need in needs:
            self._want(need, result)
        return result

    def unsettled(self) -> list[int]:
        """The calls that were wanted and have no value yet, in the order of the file."""
        return [index for index, state in enumerate(self._states) if state not in (State.IDLE, State.SETTLED)]

    def _settled(self, indices: tuple[int, ...]) -> bool:
        return all([self._states[index] is State.SETTLED for index in indices])

    def _want(self, index: int, result: Next) -> None:
        if self._states[index] is not State.IDLE:
            return
        self._open += 1
        needs = self._order.requires[index]
        if not needs or self._settled(needs):
            self._states[index] = State.RUNNING
            result.calls.append(index)
            return
        self._states[index] = State.WAITING
        for need in needs:
            self._want(need, result)
