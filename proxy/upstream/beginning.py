"""Requests that are begun and not waited for: by a task, where there is no cheaper way."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from proxy.upstream.exchange import Cancel, Done, UpstreamRequest, UpstreamResponse

Send = Callable[[UpstreamRequest], Coroutine[Any, Any, UpstreamResponse]]


def begin_by_task(send: Send, request: UpstreamRequest, done: Done) -> Cancel:
    """`Upstream.begin` by means of `Upstream.send`."""
    task = asyncio.get_running_loop().create_task(send(request))
    wanted = True

    def ended(task: "asyncio.Task[UpstreamResponse]") -> None:
        if task.cancelled():
            return
        error = task.exception()
        if wanted:
            done(error if isinstance(error, Exception) else task.result())

    def cancel() -> "asyncio.Future[Any] | None":
        nonlocal wanted
        wanted = False
        return task if task.cancel() else None

    task.add_done_callback(ended)
    return cancel
