from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.errors import LimitsUnavailable, TooManyRequests
from proxy.message import Request, Response
from proxy.plan.ratelimit import RateLimitPlan
from proxy.policy.ratelimit import Limit, Verdict
from proxy.security.ratelimit import AllCounts, Counts, rate_limiting


def limit(
    count: int, seconds: float = 60.0, name: str = "default", header: str = "", when_away: Any = "local"
) -> RateLimitPlan:
    def key(scope: Any) -> Any:
        return scope["headers"].get(header) if header else scope["client"]["ip"]

    roots = frozenset({"client", "headers"})
    return RateLimitPlan(
        route="a",
        name=name,
        limit=Limit(count, seconds, count),
        key_text=header,
        roots=roots,
        key=key,
        when_away=when_away,
    )


class Asking:
    """A service behind limits, in a time of its own."""

    def __init__(self, *plans: RateLimitPlan, counts: AllCounts | None = None, shared: Any = None) -> None:
        self.now = 1000.0
        self.served = 0
        layer = rate_limiting(plans, {} if counts is None else counts, lambda: self.now, shared)
        assert layer is not None
        self._service = layer(self._serve)

    async def _serve(self, request: Request) -> Response:
        self.served += 1
        return Response(200)

    async def ask(self, ip: str = "10.0.0.1", **headers: str) -> Response:
        async def no_body(most: int) -> bytes:
            return b""

        return await self._service(
            Request(
                method="GET", raw_target="/", headers=CIMultiDictProxy(CIMultiDict(headers)), read_body=no_body, id="1",
                client_ip=ip, client_port=1, scheme="http", host="", received_at=0.0,
            )
        )  # fmt: skip


def test_without_a_limit_there_is_no_layer() -> None:
    assert rate_limiting((), {}) is None


async def test_who_asks_too_often_is_refused_and_told_when_to_come_back() -> None:
    one = Asking(limit(2))
    first = await one.ask()
    assert first.headers["RateLimit-Policy"] == '"default";q=2;w=60'
    assert first.headers["RateLimit"] == '"default";r=1;t=30'
    await one.ask()
    with pytest.raises(TooManyRequests) as refused:
        await one.ask()
    assert refused.value.headers["Retry-After"] == "30"
    assert refused.value.headers["RateLimit"] == '"default";r=0;t=60'
    assert one.served == 2
    one.now += 30
    assert (await one.ask()).status == 200


async def test_each_key_has_its_own_count() -> None:
    one = Asking(limit(1))
    await one.ask("10.0.0.1")
    await one.ask("10.0.0.2")
    with pytest.raises(TooManyRequests):
        await one.ask("10.0.0.1")


async def test_who_has_no_key_is_counted_by_address_and_not_with_somebody_who_has_it() -> None:
    one = Asking(limit(1, header="x-user"))
    await one.ask("10.0.0.1")
    await one.ask("10.0.0.2")
    await one.ask("10.0.0.3", **{"X-User": "10.0.0.1"})
    with pytest.raises(TooManyRequests):
        await one.ask("10.0.0.1")


async def test_several_limits_hold_together_and_who_is_refused_by_one_is_not_charged_by_another() -> None:
    one = Asking(limit(1, 1.0, "second"), limit(3, 3600.0, "hour"))
    await one.ask()
    for _ in range(5):
        with pytest.raises(TooManyRequests):
            await one.ask()
    one.now += 1
    response = await one.ask()
    assert response.headers["RateLimit"] == '"second";r=0;t=1, "hour";r=1;t=2399'


async def test_a_limit_that_a_reload_does_not_change_goes_on_counting() -> None:
    counts: AllCounts = {}
    plan = limit(1)
    await Asking(plan, counts=counts).ask()
    with pytest.raises(TooManyRequests):
        await Asking(plan, counts=counts).ask()
    await Asking(limit(2), counts=counts).ask()


def test_what_is_kept_is_bounded_and_those_that_are_over_go_first() -> None:
    counts = Counts(10)
    for number in range(10):
        counts.keep(str(number), 100.0 + number, 50.0)
    counts.keep("new", 200.0, 105.0)
    assert len(counts) == 5
    assert (counts.due("0"), counts.due("9"), counts.due("new")) == (0.0, 109.0, 200.0)
    for number in range(10):
        counts.keep(f"other {number}", 300.0 + number, 150.0)
    assert len(counts) <= 10
    assert counts.due("other 9") == 309.0


class Together:
    """What all count in; it says what the test says."""

    def __init__(self, *said: Verdict) -> None:
        self.said: list[Verdict] | None = list(said)
        self.asked: list[list[str]] = []

    async def judge(self, limits: Any, keys: Any) -> list[Verdict] | None:
        self.asked.append(list(keys))
        return self.said


async def test_what_all_count_together_decides() -> None:
    together = Together(Verdict(0.0, 3, 2.0, 0.0))
    asking = Asking(limit(1), shared=together)
    for _ in range(3):
        assert (await asking.ask()).headers["RateLimit"] == '"default";r=3;t=2'
    assert together.asked == [["=10.0.0.1"]] * 3
    together.said = [Verdict(0.0, 0, 2.0, 1.5)]
    with pytest.raises(TooManyRequests) as refused:
        await asking.ask()
    assert refused.value.headers["Retry-After"] == "2"


async def test_while_that_is_away_each_limit_does_as_it_says() -> None:
    together = Together()
    together.said = None
    local = Asking(limit(1), limit(1, name="x", when_away="allow"), shared=together)
    assert (await local.ask()).headers["RateLimit"] == '"default";r=0;t=60'
    with pytest.raises(TooManyRequests):
        await local.ask()
    generous = Asking(limit(1, when_away="allow"), shared=together)
    for _ in range(3):
        assert "RateLimit" not in (await generous.ask()).headers
    strict = Asking(limit(1, when_away="refuse"), limit(1, name="x"), shared=together)
    with pytest.raises(LimitsUnavailable) as unavailable:
        await strict.ask()
    assert unavailable.value.headers["Retry-After"] == "5"
