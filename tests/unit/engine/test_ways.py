from typing import Any

from proxy.cache.flights import Flights
from proxy.cache.memory import MemoryStore
from proxy.engine.ways import FORWARDED, Shared, coalescing, prepare
from proxy.upstream.exchange import UpstreamRequest


def sent(headers: dict[str, str]) -> UpstreamRequest:
    return UpstreamRequest(method="GET", target="/", headers=list(headers.items()), body=None, max_body=9)


async def test_a_call_has_only_the_layers_that_it_asks_for(route_of: Any) -> None:
    class Upstream:
        def begin(self, request: Any, done: Any) -> Any: ...

    upstream: Any = Upstream()
    plan = route_of("calls: {a: {get: 'u:/a'}, b: {get: 'u:/b', cache: {ttl: 1s}}}").action
    prepared = prepare(plan, 3.0, Shared({"u": upstream}, {}, Flights(), MemoryStore(1)), {"u": ("Cookie",)})
    plain, kept = prepared.ways
    assert (plain.begin, plain.timers, prepared.caches[0]) == (upstream.begin, None, None)
    assert prepared.forwarded[0] == ("application/json", (*FORWARDED, "Cookie"))
    assert kept.begin != upstream.begin
    assert prepared.caches[1] is not None


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
    assert [dict(request.headers)["X-Request-Id"] for request in begun] == ["1", "3"]
