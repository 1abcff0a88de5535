"""Endpoints that fail, over real sockets: how many requests each of them gets, and what the client sees."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from proxy.events import BreakerChanged, ExtraRequest, RequestFinished
from tests.integration.worlds import Answer, Endpoint, dropped, fine, ill, never, world

ROUTES = """routes:
  - {name: page, match: GET /page, calls: {x: {get: "u:/x"%s}}}
  - {name: all, match: "/{rest:path}", max_body: 1MiB, proxy: {to: u%s}}
"""
RETRY = ", retry: {backoff: 1ms}"


@pytest.mark.parametrize("path", ["/page", "/raw"])
@pytest.mark.parametrize("how", [ill, dropped])
async def test_a_retry_goes_to_another_endpoint_so_one_that_is_ill_is_not_felt(
    how: Answer, path: str, tmp_path: Path
) -> None:
    one, two = Endpoint(how), Endpoint(fine)
    # Without ejection each request meets the one that is ill: its retry takes the turn of the other.
    upstream = ", outlier: {max_ejected: 0%}, retry_budget: 100%"
    async with world(tmp_path, upstream, ROUTES % (RETRY, RETRY), one, two) as here:
        assert [await here.ask(path) for _ in range(40)] == [200] * 40
        assert two.count == 40
        assert one.count == len(here.said(ExtraRequest)) == 40


async def test_an_endpoint_that_is_gone_is_not_felt_either(tmp_path: Path) -> None:
    gone, two = Endpoint(fine), Endpoint(fine)
    gone.url = "http://127.0.0.1:1"
    async with world(tmp_path, "", ROUTES % (RETRY, RETRY), gone, two) as here:
        statuses = [await here.ask("/page") for _ in range(20)]
        statuses += [await here.ask("/raw", "POST", b"x" * 200_000) for _ in range(20)]
        assert statuses == [200] * 40
        assert [body for body in two.bodies if body] == [b"x" * 200_000] * 20


async def test_a_body_is_sent_again_in_full(tmp_path: Path) -> None:
    one, two = Endpoint(ill), Endpoint(fine)
    async with world(tmp_path, "", ROUTES % ("", RETRY), one, two) as here:
        assert await here.ask("/raw", "PUT", b"x" * 50_000) == 200
        assert one.bodies == two.bodies == [b"x" * 50_000]


async def test_a_body_that_was_streamed_to_somebody_is_not_sent_again(tmp_path: Path) -> None:
    one, two = Endpoint(ill), Endpoint(ill)
    async with world(tmp_path, "", ROUTES % ("", RETRY), one, two) as here:
        assert await here.ask("/raw", "PUT", b"x" * 200_000) == 503
        assert one.count + two.count == 1


async def test_in_an_outage_retries_stay_within_their_budget(tmp_path: Path) -> None:
    one, two = Endpoint(ill), Endpoint(ill)
    retry = ", retry: {attempts: 4, backoff: 1ms}"
    async with world(tmp_path, ", outlier: {max_ejected: 0%}", ROUTES % (retry, retry), one, two) as here:
        started = asyncio.get_running_loop().time()
        for _ in range(20):
            await asyncio.gather(*[here.ask() for _ in range(10)])
        seconds = asyncio.get_running_loop().time() - started
        assert 200 < one.count + two.count <= 200 + 10 + 0.2 * 200 + seconds + 1
        assert ExtraRequest("u", "retry", "denied") in here.events


async def test_a_hedge_goes_to_another_endpoint_and_the_loser_is_cancelled(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def stuck(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await never(request)
        finally:
            gone.set()

    one, two = Endpoint(stuck), Endpoint(fine)
    async with world(tmp_path, "", ROUTES % (", hedge: {after: 10ms}", ""), one, two) as here:
        assert await here.ask() == 200
        assert (one.count, two.count) == (1, 1)
        async with asyncio.timeout(5):
            await gone.wait()
        assert here.said(ExtraRequest) == [ExtraRequest("u", "hedge", "sent"), ExtraRequest("u", "hedge", "won")]


async def test_a_breaker_of_an_endpoint_keeps_requests_from_it_alone(tmp_path: Path) -> None:
    one, two = Endpoint(ill), Endpoint(fine)
    breaker = ", outlier: {max_ejected: 0%}, breaker: {failures: 2, open_for: 1h, per: endpoint}"
    async with world(tmp_path, breaker, ROUTES % ("", ""), one, two) as here:
        statuses = [await here.ask("/raw") for _ in range(20)]
        assert (statuses.count(503), one.count) == (2, 2)
        assert statuses[-10:] == [200] * 10
        two.answer = ill
        assert [await here.ask("/raw") for _ in range(4)] == [503] * 4
        assert (one.count, two.count) == (2, 20)  # 18 and the two after which nothing is asked
        assert [event.state for event in here.said(BreakerChanged)] == ["open", "open"]


async def test_a_breaker_stays_open_over_a_reload_that_does_not_change_it(tmp_path: Path) -> None:
    one = Endpoint(ill)
    async with world(tmp_path, ", breaker: {failures: 1, open_for: 1h}", ROUTES % ("", ""), one) as here:
        assert [await here.ask("/raw"), await here.ask("/raw")] == [503, 503]
        await here.gateway.load("test")
        assert await here.ask("/raw") == 503
        assert one.count == 1


async def test_a_breaker_lets_one_probe_through_and_closes_when_it_is_well(tmp_path: Path) -> None:
    one = Endpoint(ill)
    async with world(tmp_path, ", breaker: {failures: 1, open_for: 50ms}", ROUTES % ("", ""), one) as here:
        await here.ask("/raw")
        one.answer = fine
        async with asyncio.timeout(10):
            while await here.ask("/raw") == 503:
                assert one.count == 1
        assert [event.state for event in here.said(BreakerChanged)] == ["open", "half_open", "closed"]


async def test_a_route_may_be_less_patient_than_its_upstream(tmp_path: Path) -> None:
    one = Endpoint(never)
    async with world(tmp_path, "", ROUTES % ("", ", timeouts: {first_byte: 20ms}"), one) as here:
        assert await here.ask("/raw") == 504
        one.answer = fine
        assert await here.ask("/raw") == 200
        one.answer = never
        assert await here.ask("/raw") == 504


async def test_in_an_overload_who_waits_too_long_is_refused_and_the_others_are_answered(tmp_path: Path) -> None:
    one, go = Endpoint(fine), asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.StreamResponse:
        await go.wait()
        return await fine(request)

    one.answer = wait
    async with world(tmp_path, "", ROUTES % ("", ""), one) as here:
        gate = here.gateway._gate
        gate.change(0.0, 0.0, 0.05)  # from now on it is always late
        gate.policy.limit = gate.limit = 16
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(here.ask("/raw")) for _ in range(20)]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result() for task in done} == {503}
            async with asyncio.timeout(5):
                while sum(task.done() for task in asked) < 4:
                    await asyncio.wait([task for task in asked if not task.done()], return_when="FIRST_COMPLETED")
            go.set()
        assert sorted(task.result() for task in asked) == [200] * 16 + [503] * 4
        assert (gate.active, gate.waiting) == (0, 0)


@pytest.mark.parametrize("path", ["/page", "/raw"])
async def test_the_log_says_how_often_a_request_was_sent(path: str, tmp_path: Path) -> None:
    async with world(tmp_path, "", ROUTES % (RETRY, RETRY), Endpoint(ill), Endpoint(fine)) as here:
        assert await here.ask(path) == 200
        (finished,) = here.said(RequestFinished)
        assert [(call.status, call.requests) for call in finished.request.calls] == [(200, 2)]
