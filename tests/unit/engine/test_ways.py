from typing import Any

from multidict import CIMultiDict

from proxy.cache.flights import Flights
from proxy.cache.memory import MemoryStore
from proxy.engine.ways import Shared, coalescing, make_ways
from proxy.upstream.exchange import UpstreamRequest


def sent(headers: dict[str, str]) -> UpstreamRequest:
    return UpstreamRequest(method="GET", target="/", headers=CIMultiDict(headers), body=None, max_body=9)


def test_a_call_has_only_the_layers_that_it_asks_for(route_of: Any) -> None:
    class Upstream:
        def begin(self, request: Any, done: Any) -> Any: ...

    upstream: Any = Upstream()
    plan = route_of("calls: {a: {get: 'u:/a'}, b: {get: 'u:/b', cache: {ttl: 1s}}}").action
    plain, kept = make_ways(plan, Shared({"u": upstream}, {}, Flights(), MemoryStore(1)))
    assert (plain.begin, plain.cache) == (upstream.begin, None)
    assert kept.begin != upstream.begin
    assert kept.cache is not None


def test_requests_share_an_answer_unless_what_they_send_differs() -> None:
    begun: list[UpstreamRequest] = []

    def begin(request: UpstreamRequest, done: Any) -> Any:
        begun.append(request)
        return lambda: None

    share = coalescing(begin, Flights(), "u")
    for headers in (
        {"X-Request-Id": "1", "Authorization": "a"},
        {"X-Request-Id": "2", "Authorization": "a"},
        {"X-Request-Id": "3", "Authorization": "b"},
    ):
        share(sent(headers), lambda _: None)
    assert [request.headers["X-Request-Id"] for request in begun] == ["1", "3"]
