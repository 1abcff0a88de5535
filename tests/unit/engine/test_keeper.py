from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.cache.flights import Flights
from proxy.cache.memory import MemoryStore
from proxy.engine.fanout import Part
from proxy.engine.keeper import Keeper
from proxy.engine.outcome import Done, Failed
from proxy.engine.ways import Shared, prepare
from proxy.errors import UpstreamFailed
from proxy.expr.scope import Scope
from proxy.upstream.exchange import UpstreamRequest

REQUEST = UpstreamRequest(method="GET", target="/x", headers=[], body=None, max_body=9)


class Keeping:
    """A keeper of the first call of a route, and what it told."""

    def __init__(self, route: Any, upstream: Any) -> None:
        shared = Shared({"u": upstream}, {}, Flights(), MemoryStore(10**6))
        self.call = route.action.calls[0]
        self.looks: list[tuple[str, int]] = []
        prepared = prepare(route.action, 1.0, shared, {})
        self.keeper = Keeper(prepared, Scope({}), self, lambda call: [])

    def called(self, call: Any, record: Any) -> None:
        raise AssertionError

    def looked(self, call: Any, result: str, count: int) -> None:
        self.looks.append((result, count))


@pytest.fixture
def answer() -> Done:
    return Done(200, CIMultiDict(), 1, None, 5)


async def test_what_is_kept_is_found(route_of: Any, hand: Any, answer: Done) -> None:
    one = Keeping(route_of("calls: {a: {get: 'u:/x', cache: {ttl: 1m}}}"), hand)
    assert one.keeper.find(one.call, REQUEST) is None
    assert one.keeper.keep(one.call, REQUEST, answer) is answer
    found = one.keeper.find(one.call, REQUEST)
    assert found is not None
    assert (found.value, one.looks) == (1, [("miss", 1), ("hit", 1)])


async def test_a_failure_stays_one_where_nothing_is_kept_for_it(route_of: Any, hand: Any) -> None:
    one = Keeping(route_of("calls: {a: {get: 'u:/x', cache: {ttl: 1m, stale_if_error: 1h}}}"), hand)
    failed = Failed(UpstreamFailed("broken"))
    assert one.keeper.keep(one.call, REQUEST, failed) is failed


async def test_elements_of_a_batch_are_found_by_key(route_of: Any, hand: Any, answer: Done) -> None:
    one = Keeping(
        route_of(
            "calls: {a: {get: 'u:/x', query: {id: $.batch}, batch: {from: $.query_all.id}, key: $.id, "
            "cache: {ttl: 1m, per: key}}}"
        ),
        hand,
    )
    answer.value = [{"id": 1}]
    part = Part((1, 2), Scope({}), REQUEST, answer)
    assert one.keeper.keep_part(one.call, part, REQUEST) is answer
    parts, wanted = one.keeper.find_parts(one.call, one.call.fan, [2, 1])
    assert ([kept.elements for kept in parts], wanted) == ([(1,)], [2])
    assert one.looks == [("hit", 1), ("miss", 1)]
