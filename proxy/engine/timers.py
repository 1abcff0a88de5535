"""Time-outs that hardly ever happen, many at once: a deque for each duration in place of a heap for all.

What is set for the same number of seconds is due in the order in which it was set. So setting one is an append, taking
it back clears a field, and one timer of the loop serves them all.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from msgspec import Struct


class Timer(Struct):
    """A call that will be made, unless it is taken back."""

    due: float
    callback: Callable[[], None] | None

    def cancel(self) -> None:
        """Take it back."""
        self.callback = None


class Timers:
    """The timers of one duration on one loop."""

    __slots__ = ("_loop", "_seconds", "_set", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._waiting: deque[Timer] = deque()
        self._set = False

    @property
    def seconds(self) -> float:
        """The duration."""
        return self._seconds

    def start(self, callback: Callable[[], None]) -> Timer:
        """Call `callback` when the duration is over, counted from now."""
        waiting = self._waiting
        while waiting and waiting[0].callback is None:
            waiting.popleft()  # so that what is over is not kept until its time would have come
        timer = Timer(self._loop.time() + self._seconds, callback)
        waiting.append(timer)
        if not self._set:
            self._set = True
            self._loop.call_at(timer.due, self._ring)
        return timer

    def _ring(self) -> None:
        self._set = False
        now = self._loop.time()
        while self._waiting:
            timer = self._waiting[0]
            if timer.callback is not None and timer.due > now:
                self._set = True
                self._loop.call_at(timer.due, self._ring)
                return
            self._waiting.popleft()
            if (callback := timer.callback) is not None:
                timer.callback = None
                callback()
