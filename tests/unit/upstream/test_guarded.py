import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from proxy.errors import BreakerOpen, GatewayError, UpstreamBusy, UpstreamInvalid, UpstreamTimeout, UpstreamUnreachable
from proxy.events import BreakerChanged
from proxy.policy.breaker import Breaker, BreakerPlan
from proxy.testing.virtual import run_virtually
from proxy.upstream.guarded import Guarded
from tests.unit.upstream.scripted import Scripted, Told, answer, request

PLAN = BreakerPlan(rate=None, count=1, open_for_s=5)


def guarded(way: Scripted, told: Told) -> Guarded:
    return Guarded(way, Breaker(PLAN), "u", "", told)


async def by_begin(one: Guarded, **more: Any) -> Any:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    cancel = one.begin(request(**more), future.set_result)
    try:
        end = await future
    except asyncio.CancelledError:
        cancel()
        raise
    if isinstance(end, Exception):
        raise end
    return end


async def by_send(one: Guarded, **more: Any) -> Any:
    return await one.send(request(**more))


async def by_open(one: Guarded, **more: Any) -> Any:
    return await one.open(request(**more))


ways = pytest.mark.parametrize("ask", [by_begin, by_send, by_open])


@ways
@pytest.mark.parametrize(
    "end", [answer(500), answer(503), UpstreamUnreachable(), UpstreamTimeout(), UpstreamInvalid()], ids=str
)
def test_a_failure_of_the_upstream_opens_it(ask: Callable[..., Any], end: Any) -> None:
    async def work() -> None:
        told = Told()
        one = guarded(Scripted((0, end), (0, answer())), told)
        if isinstance(end, Exception):
            with pytest.raises(type(end)):
                await ask(one)
        else:
            assert (await ask(one)).status == end.status
        assert one.state == "open"
        with pytest.raises(BreakerOpen) as refused:
            await ask(one)
        assert refused.value.headers == {"Retry-After": "5"}
        await asyncio.sleep(5)
        assert (await ask(one)).status == 200
        assert [event.state for event in told if isinstance(event, BreakerChanged)] == ["open", "half_open", "closed"]

    run_virtually(work())


@ways
@pytest.mark.parametrize("end", [answer(404), UpstreamBusy(), GatewayError()], ids=str)
def test_what_is_not_its_doing_does_not(ask: Callable[..., Any], end: Any) -> None:
    async def work() -> None:
        one = guarded(Scripted((0, end)), Told())
        if isinstance(end, Exception):
            with pytest.raises(type(end)):
                await ask(one)
        else:
            await ask(one)
        assert one.state == "closed"

    run_virtually(work())


@ways
@pytest.mark.parametrize("deadline, state", [(2.0, "open"), (60.0, "closed"), (None, "closed")])
def test_a_request_that_took_too_long_is_a_failure_and_one_that_nobody_wants_is_not(
    ask: Callable[..., Any], deadline: float | None, state: str
) -> None:
    async def work() -> None:
        one = guarded(Scripted((99, answer())), Told())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await ask(one, deadline=deadline)
        assert one.state == state

    run_virtually(work())


def test_a_probe_that_cannot_be_sent_makes_room_for_another() -> None:
    async def work() -> None:
        one = guarded(Scripted((0, answer(500)), (-1, UpstreamBusy()), (0, answer())), Told())
        await by_begin(one)
        await asyncio.sleep(5)
        with pytest.raises(UpstreamBusy):
            await by_begin(one)
        assert one.ready()
        assert (await by_begin(one)).status == 200
        assert one.state == "closed"

    run_virtually(work())


def test_an_end_after_it_was_cancelled_is_not_told() -> None:
    async def work() -> None:
        ended: list[Any] = []

        class Stubborn(Scripted):
            def begin(self, request: Any, done: Any, /) -> Any:
                super().begin(request, done)
                return lambda: None

        one = guarded(Stubborn((1, answer(500))), Told())
        cancel = one.begin(request(), ended.append)
        cancel()
        cancel()
        await asyncio.sleep(2)
        assert (ended, one.state) == ([], "closed")

    run_virtually(work())
