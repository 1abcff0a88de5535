import asyncio
from typing import Any

import pytest

from proxy.testing.virtual import run_virtually
from proxy.upstream.deadline import Telling
from tests.unit.upstream.scripted import Scripted, answer, end_of, request


@pytest.mark.parametrize("how", ["begin", "send", "open"])
def test_an_upstream_is_told_the_milliseconds_that_remain(how: str) -> None:
    async def work() -> None:
        way = Scripted((0, answer()))
        telling = Telling(way, "X-Deadline-Ms")
        asked = request(deadline=1.5)
        asked.headers = [("X-A", "1"), ("x-deadline-ms", "99999")]
        await asyncio.sleep(1)
        await (end_of(telling.begin, asked) if how == "begin" else getattr(telling, how)(asked))
        assert way.requests[0].headers == [("X-A", "1"), ("X-Deadline-Ms", "500")]
        assert asked.headers[1] == ("x-deadline-ms", "99999")

    run_virtually(work())


@pytest.mark.parametrize("deadline, told", [(None, []), (-1.0, [("D", "1")])])
def test_it_is_told_nothing_where_nobody_knows_and_at_least_one(deadline: Any, told: list[Any]) -> None:
    async def work() -> None:
        way = Scripted((0, answer()))
        await Telling(way, "D").send(request(deadline=deadline))
        assert way.requests[0].headers == told

    run_virtually(work())
