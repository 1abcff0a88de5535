"""Runs many requests with a bound on how many are under way at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from proxy.engine.fanout import Part


class Enough(Exception):
    """Nothing that is left can change the outcome: what is under way is cancelled."""


async def ask_all(parts: Sequence[Part], at_once: int, ask: Callable[[Part], Awaitable[None]]) -> None:
    """Call `ask` for every part, `at_once` at a time. `Enough` from one of them ends it early.

    When it returns or raises, nothing that it began is under way any more.
    """
    waiting = iter(parts)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(parts))):
                group.create_task(_work(waiting, ask))
    except* Enough:
        pass


async def _work(waiting: Iterator[Part], ask: Callable[[Part], Awaitable[None]]) -> None:
    for part in waiting:
        await ask(part)
