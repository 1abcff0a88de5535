"""An event loop whose clock jumps: waiting takes no time, so that a time-out of a minute is tested in a millisecond."""

import asyncio
import selectors
from typing import Any


class Deadlock(RuntimeError):
    """Everything waits, and nothing that could end the waiting is left."""


class _Jumping(selectors.DefaultSelector):
    """Never waits: where another selector would, the loop's clock goes forward by so much."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not events:
            if timeout is None:
                raise Deadlock("everything waits for something that will never come")
            self.now += max(timeout, 0)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time()` stands still while there is something to do and jumps to the next timer where there is not."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run_virtually(work: Any) -> Any:
    """Run a coroutine to its end in virtual time. Raises `Deadlock` if it would wait for ever."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
