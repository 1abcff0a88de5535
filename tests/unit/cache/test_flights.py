from typing import Any

from proxy.cache.flights import Flights
from proxy.errors import GatewayError, UpstreamFailed
from proxy.upstream.exchange import Cancel, Done, UpstreamResponse

ANSWER = UpstreamResponse.of(200, {}, b"x")


class Upstream:
    """Starts requests that are answered by hand."""

    def __init__(self) -> None:
        self.waiting: list[Done] = []
        self.cancelled = 0

    def start(self, done: Done) -> Cancel:
        self.waiting.append(done)

        def cancel() -> None:
            self.cancelled += 1

        return cancel


def test_whoever_asks_for_the_same_at_the_same_time_gets_one_answer() -> None:
    flights, upstream = Flights(), Upstream()
    told: list[Any] = []
    flights.begin("k", upstream.start, told.append)
    flights.begin("k", upstream.start, told.append)
    flights.begin("other", upstream.start, told.append)
    assert (len(upstream.waiting), len(flights)) == (2, 2)
    upstream.waiting[0](ANSWER)
    assert told == [ANSWER, ANSWER]


def test_when_it_has_landed_the_next_asks_anew() -> None:
    flights, upstream = Flights(), Upstream()
    flights.begin("k", upstream.start, lambda _: None)
    upstream.waiting[0](ANSWER)
    flights.begin("k", upstream.start, lambda _: None)
    assert len(upstream.waiting) == 2


def test_one_that_gives_up_takes_nothing_from_the_others_and_the_last_ends_it() -> None:
    flights, upstream = Flights(), Upstream()
    told: list[Any] = []
    first = flights.begin("k", upstream.start, told.append)
    second = flights.begin("k", upstream.start, told.append)
    first()
    first()
    assert upstream.cancelled == 0
    second()
    assert (upstream.cancelled, len(flights), told) == (1, 0, [])


def test_giving_up_on_what_has_landed_is_nothing_even_if_the_same_is_asked_for_again() -> None:
    flights, upstream = Flights(), Upstream()
    cancel = flights.begin("k", upstream.start, lambda _: None)
    upstream.waiting[0](ANSWER)
    flights.begin("k", upstream.start, lambda _: None)
    cancel()
    assert (upstream.cancelled, len(flights)) == (0, 1)


def test_one_that_is_told_may_make_another_give_up() -> None:
    flights, upstream = Flights(), Upstream()
    told: list[Any] = []
    cancels: list[Cancel] = []
    flights.begin("k", upstream.start, lambda _: cancels[0]())
    cancels.append(flights.begin("k", upstream.start, told.append))
    upstream.waiting[0](ANSWER)
    assert told == []


def test_each_has_a_failure_of_its_own_to_write_into() -> None:
    flights, upstream = Flights(), Upstream()
    told: list[Any] = []
    flights.begin("k", upstream.start, told.append)
    flights.begin("k", upstream.start, told.append)
    upstream.waiting[0](UpstreamFailed("broken", internal="at 10.0.0.1"))
    first, second = told
    assert isinstance(first, GatewayError)
    first.call = "a"
    assert (second.call, second.detail, second.internal, type(second)) == (
        None,
        "broken",
        "at 10.0.0.1",
        UpstreamFailed,
    )
