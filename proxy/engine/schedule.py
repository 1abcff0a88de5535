"""Which call may go now. Pure: it is told what happened, and says what may happen next.

A call goes the moment the calls it reads are settled: no layers, no waves. A fallback goes once its call has failed
and the calls that the fallback reads are settled; calls marked lazy go only when somebody who goes needs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from proxy.plan.nodes import CallPlan


class State(Enum):
    """Where a call stands."""

    IDLE = "idle"
    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"  # its fallback waits for other calls
    SETTLED = "settled"


@dataclass(slots=True)
class Next:
    """Indices of calls that may be sent and of calls whose fallback may be evaluated."""

    calls: list[int] = field(default_factory=list)
    fallbacks: list[int] = field(default_factory=list)


class Schedule:
    """The progress of one request through its calls."""

    __slots__ = ("_calls", "_open", "_states")

    def __init__(self, calls: Sequence[CallPlan]) -> None:
        self._calls = calls
        self._states = [State.IDLE] * len(calls)
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
        for call in self._calls:
            if not call.lazy:
                self._want(call.index, result)
        return result

    def settle(self, index: int) -> Next:
        """The call has its value."""
        self._states[index] = State.SETTLED
        self._open -= 1
        result = Next()
        for call in self._calls:
            state = self._states[call.index]
            if state is State.WAITING and index in call.requires and self._settled(call.requires):
                self._states[call.index] = State.RUNNING
                result.calls.append(call.index)
            elif state is State.FAILED and index in call.fallback_requires and self._settled(call.fallback_requires):
                result.fallbacks.append(call.index)
        return result

    def fail(self, index: int) -> Next:
        """The call failed and has a fallback: what must go for it, or the fallback itself."""
        self._states[index] = State.FAILED
        result = Next()
        needs = self._calls[index].fallback_requires
        if self._settled(needs):
            result.fallbacks.append(index)
        for need in needs:
            self._want(need, result)
        return result

    def unsettled(self) -> list[int]:
        """The calls that were wanted and have no value yet, in the order of the file."""
        return [index for index, state in enumerate(self._states) if state not in (State.IDLE, State.SETTLED)]

    def _settled(self, indices: tuple[int, ...]) -> bool:
        return all(self._states[index] is State.SETTLED for index in indices)

    def _want(self, index: int, result: Next) -> None:
        if self._states[index] is not State.IDLE:
            return
        call = self._calls[index]
        self._open += 1
        if self._settled(call.requires):
            self._states[index] = State.RUNNING
            result.calls.append(index)
            return
        self._states[index] = State.WAITING
        for need in call.requires:
            self._want(need, result)
