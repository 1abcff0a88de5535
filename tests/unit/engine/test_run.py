import asyncio
from typing import Any

import pytest

from proxy.cache.flights import Flights
from proxy.cache.memory import MemoryStore
from proxy.clock import monotonic
from proxy.document import decode_json, encode_json
from proxy.engine.outcome import Done, Failed, Skipped
from proxy.engine.run import PassedBody, Run
from proxy.engine.ways import Shared, prepare
from proxy.errors import BadRequest, DeadlineExceeded, GatewayError, PassedStatus, UpstreamFailed, UpstreamTimeout
from proxy.expr.scope import Scope
from proxy.upstream.exchange import UpstreamResponse


class Running:
    """A run under way, its scope and what it reported."""

    def __init__(
        self,
        route: Any,
        request: Any,
        upstream: Any,
        seconds: float = 5,
        store: MemoryStore | None = None,
        **roots: Any,
    ) -> None:
        self.scope = Scope({"params": request.params, "query": {}, **roots})
        self.records: list[str] = []
        self.looks: list[tuple[str, str, int]] = []
        shared = Shared({"u": upstream}, {}, Flights(), MemoryStore(10**6) if store is None else store)
        prepared = prepare(route.action, seconds if seconds > 0 else 1.0, shared, {"u": ("Authorization",)})
        self.run = Run(prepared, self.scope, request, self)
        self.task = asyncio.get_running_loop().create_task(self.run.execute(monotonic() + seconds))

    def called(self, call: Any, record: Any) -> None:
        self.records.append(call.name)

    def looked(self, call: Any, result: str, count: int) -> None:
        self.looks.append((call.name, result, count))

    def value(self, name: str) -> Any:
        """What a call left in the scope, which may be bytes that nobody has looked into."""
        return decode_json(encode_json(self.scope[name]))

    async def ends(self) -> GatewayError | None:
        try:
            await asyncio.wait_for(self.task, 5)
        except GatewayError as error:
            return error
        finally:
            # Whatever happened: no task of the request is left.
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not others, others
        return None


async def test_calls_without_dependencies_are_sent_at_once(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(route_of("calls: {a: {get: 'u:/a'}, b: {get: 'u:/b'}}"), request_of(), hand)
    await hand.asked("/a", "/b")
    hand.answer("/b", 2)
    hand.answer("/a", 1)
    assert await running.ends() is None
    assert (running.value("a"), running.value("b")) == (1, 2)


async def test_a_call_starts_while_another_that_it_does_not_read_is_still_running(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    route = route_of("calls: {slow: {get: 'u:/slow'}, a: {get: 'u:/a'}, b: {get: 'u:/b/${a.x}'}}")
    running = Running(route, request_of(), hand)
    hand.answer("/a", {"x": 1})
    await hand.asked("/b/1")
    hand.answer("/b/1", 1)
    hand.answer("/slow", 1)
    assert await running.ends() is None


async def test_the_first_fatal_failure_cancels_the_rest(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(
        route_of("calls: {a: {get: 'u:/a'}, b: {get: 'u:/b'}, c: {get: 'u:/c/${b.x}'}}"), request_of(), hand
    )
    await hand.asked("/a", "/b")
    hand.answer("/a", UpstreamFailed("broken"))
    error = await running.ends()
    assert error is not None
    assert error.call == "a"
    assert hand.cancelled == ["/b"]
    assert hand.targets == ["/a", "/b"]


async def test_a_client_that_goes_away_cancels_every_call(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(route_of("calls: {a: {get: 'u:/a'}, b: {get: 'u:/b'}}"), request_of(), hand)
    await hand.asked("/a", "/b")
    running.task.cancel()
    await asyncio.wait([running.task])
    assert running.task.cancelled()
    assert sorted(hand.cancelled) == ["/a", "/b"]


async def test_identical_gets_are_sent_once_and_both_have_the_answer(route_of: Any, request_of: Any, hand: Any) -> None:
    route = route_of("calls: {a: {get: 'u:/x', select: $.a}, b: {get: 'u:/x', select: $.b}, c: {get: 'u:/x?'}}")
    running = Running(route, request_of(), hand)
    hand.answer("/x", {"a": 1, "b": 2})
    hand.answer("/x?", 3)
    assert await running.ends() is None
    assert sorted(hand.targets) == ["/x", "/x?"]
    assert (running.value("a"), running.value("b")) == (1, 2)


async def test_one_of_two_that_share_a_request_may_lose_patience_alone(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    route = route_of(
        "calls: {a: {get: 'u:/x', timeout: 10ms, fallback: late}, b: {get: 'u:/x'}, "
        "c: {get: 'u:/${a.x ?? 9}', fallback: 0}}"
    )
    running = Running(route, request_of(), hand)
    await hand.asked("/9")  # so `a` has taken its fallback
    hand.answer("/9", 1)
    hand.answer("/x", 2)
    assert await running.ends() is None
    assert (running.value("a"), running.value("b")) == ("late", 2)
    assert hand.targets.count("/x") == 1


async def test_a_skipped_call_is_null_and_its_dependants_run(route_of: Any, request_of: Any, hand: Any) -> None:
    route = route_of("calls: {a: {get: 'u:/a', when: 'false'}, b: {get: 'u:/b', query: {x: $.a.y}}}")
    running = Running(route, request_of(), hand)
    hand.answer("/b", 1)
    assert await running.ends() is None
    assert running.value("a") is None
    assert isinstance(running.run.outcomes[0], Skipped)


async def test_a_bad_value_of_the_client_sends_nothing_at_all(route_of: Any, request_of: Any, hand: Any) -> None:
    route = route_of("calls: {a: {get: 'u:/a'}, b: {get: 'u:/b/${params.id}'}, c: {get: 'u:/${a.x}/${params.id}'}}")
    error = await Running(route, request_of(params={"id": ".."}), hand).ends()
    assert isinstance(error, BadRequest)
    assert hand.sent == []


async def test_a_bad_value_for_a_call_that_waits_is_refused_before_the_first_is_sent(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    route = route_of("calls: {a: {get: 'u:/a'}, c: {get: 'u:/${a.x}', headers: {X: $.params.id}}}")
    error = await Running(route, request_of(params={"id": "a\r\nb"}), hand).ends()
    assert isinstance(error, BadRequest)
    assert hand.sent == []


async def test_a_fallback_of_a_clients_bad_value_is_not_taken(route_of: Any, request_of: Any, hand: Any) -> None:
    error = await Running(
        route_of("calls: {a: {get: 'u:/${params.id}', fallback: 1}}"), request_of(params={"id": ".."}), hand
    ).ends()
    assert isinstance(error, BadRequest)


async def test_at_the_deadline_what_has_a_fallback_takes_it(route_of: Any, request_of: Any, hand: Any) -> None:
    route = route_of("calls: {a: {get: 'u:/a', fallback: [0]}, b: {get: 'u:/b/${a.x ?? 1}', fallback: none}}")
    running = Running(route, request_of(), hand, seconds=0.02)
    assert await running.ends() is None
    assert (running.value("a"), running.value("b")) == ([0], "none")
    assert [outcome.error.code for outcome in running.run.outcomes if isinstance(outcome, Failed)] == [
        "deadline_exceeded"
    ] * 2
    assert hand.cancelled == ["/a"]


async def test_at_the_deadline_what_is_required_ends_the_route(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(route_of("calls: {a: {get: 'u:/a'}}"), request_of(), hand, seconds=0.02)
    error = await running.ends()
    assert isinstance(error, DeadlineExceeded)
    assert (error.status, error.call) == (504, "a")
    assert running.records == ["a"]


async def test_a_call_has_a_time_of_its_own(route_of: Any, request_of: Any, hand: Any) -> None:
    error = await Running(route_of("calls: {a: {get: 'u:/a', timeout: 10ms}}"), request_of(), hand).ends()
    assert isinstance(error, UpstreamTimeout)
    assert not isinstance(error, DeadlineExceeded)
    assert hand.cancelled == ["/a"]


async def test_a_fallback_starts_the_lazy_call_that_it_reads(route_of: Any, request_of: Any, hand: Any) -> None:
    route = route_of("calls: {a: {get: 'u:/a', fallback: '$.b ?? []'}, b: {get: 'u:/b', lazy: true}}")
    running = Running(route, request_of(), hand)
    await hand.asked("/a")
    assert hand.targets == ["/a"]
    hand.answer("/a", status=503)
    hand.answer("/b", ["best"])
    assert await running.ends() is None
    assert running.value("a") == ["best"]


async def test_a_status_that_is_passed_ends_the_route_with_it(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(route_of("calls: {a: {get: 'u:/a', pass_status: [4xx]}}"), request_of(), hand)
    hand.answer("/a", {}, 409)
    error = await running.ends()
    assert isinstance(error, PassedStatus)
    assert (error.status, error.call) == (409, "a")


async def test_a_body_may_be_passed_with_its_status(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(route_of("calls: {a: {get: 'u:/a', pass_status: 404, pass_body: true}}"), request_of(), hand)
    hand.answer("/a", b'{"why":1.0}', 404, {"Content-Type": "application/json"})
    error = await running.ends()
    assert isinstance(error, PassedBody)
    assert error.body == b'{"why":1.0}'


async def test_calls_get_the_allowed_headers_of_the_client_and_no_others(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    headers = {
        "Accept-Language": "de",
        "Authorization": "Bearer x",
        "Cookie": "a=b",
        "X-Other": "1",
        "Traceparent": "t",
    }
    running = Running(route_of("calls: {a: {get: 'u:/a'}}"), request_of(headers=headers), hand)
    hand.answer("/a", 1)
    await running.ends()
    assert dict(hand.sent[0].headers) == {
        "Accept": "application/json",
        "X-Request-Id": "r1",
        "Accept-Language": "de",
        "Traceparent": "t",
        "Authorization": "Bearer x",  # this upstream was told to get it
    }


async def test_what_is_known_of_a_call_can_be_read_by_others(route_of: Any, request_of: Any, hand: Any) -> None:
    route = route_of(
        "calls: {a: {get: 'u:/a', fallback: 0}, b: {get: 'u:/b', query: {s: $.calls.a.status, e: $.calls.a.error}}}"
    )
    running = Running(route, request_of(), hand)
    hand.answer("/a", 1, 503)
    hand.answer("/b?s=503&e=upstream_status", 1)
    assert await running.ends() is None
    assert isinstance(running.run.outcomes[1], Done)


async def test_a_route_may_have_no_call_to_make(route_of: Any, request_of: Any, hand: Any) -> None:
    assert await Running(route_of("calls: {a: {get: 'u:/a', lazy: true}}"), request_of(), hand).ends() is None
    assert hand.sent == []


FAN = "calls: {{ids: {{get: 'u:/ids'}}, x: {{get: 'u:/x/${{each}}', for_each: $.ids{}}}}}"


async def test_a_fan_out_that_fails_cancels_its_other_requests(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(route_of(FAN.format("")), request_of(), hand)
    hand.answer("/ids", [1, 2, 3])
    await hand.asked("/x/1", "/x/2", "/x/3")
    hand.answer("/x/2", status=500)
    error = await running.ends()
    assert error is not None
    assert error.call == "x"
    assert sorted(hand.cancelled) == ["/x/1", "/x/3"]


async def test_no_more_requests_of_a_fan_out_are_under_way_than_its_concurrency(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    running = Running(route_of(FAN.format(", concurrency: 2")), request_of(), hand)
    hand.answer("/ids", [1, 2, 3])
    await hand.asked("/x/1", "/x/2")
    assert "/x/3" not in hand.targets
    hand.answer("/x/1", "a")
    await hand.asked("/x/3")
    hand.answer("/x/2", "b")
    hand.answer("/x/3", "c")
    assert await running.ends() is None
    assert running.value("x") == ["a", "b", "c"]


async def test_at_the_deadline_a_fan_out_keeps_what_it_has(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(route_of(FAN.format(", fallback: late")), request_of(), hand, seconds=0.05)
    hand.answer("/ids", [1, 2])
    hand.answer("/x/2", "b")
    assert await running.ends() is None
    assert running.value("x") == ["late", "b"]
    assert hand.cancelled == ["/x/1"]


async def test_a_fan_out_is_one_record_and_an_event_for_each_request(route_of: Any, request_of: Any, hand: Any) -> None:
    request = request_of()
    running = Running(route_of(FAN.format(", fallback: 0")), request, hand)
    hand.answer("/ids", [1, 2])
    hand.answer("/x/1", 1)
    hand.answer("/x/2", 1, 503)
    assert await running.ends() is None
    assert running.records == ["ids", "x", "x"]
    assert [(one.name, one.requests, one.status, one.error) for one in request.calls] == [
        ("ids", 1, 200, None),
        ("x", 2, 503, "upstream_status"),
    ]


async def test_a_fallback_of_an_element_may_start_a_lazy_call(route_of: Any, request_of: Any, hand: Any) -> None:
    text = FAN.format(", fallback: $.other.name").replace("x: {", "other: {get: 'u:/o', lazy: true}, x: {", 1)
    running = Running(route_of(text), request_of(), hand)
    hand.answer("/ids", [1, 2])
    hand.answer("/x/1", "a")
    hand.answer("/x/2", 1, 500)
    hand.answer("/o", {"name": "best"})
    assert await running.ends() is None
    assert running.value("x") == ["a", "best"]


@pytest.mark.parametrize(
    "calls",
    [
        "calls: {a: {get: 'u:/x'}, b: {get: 'u:/x', headers: {X-A: b}}}",
        "calls: {a: {post: 'u:/x'}, b: {post: 'u:/x'}}",
    ],
)
async def test_only_gets_that_are_identical_share_a_request(
    calls: str, route_of: Any, request_of: Any, hand: Any
) -> None:
    running = Running(route_of(calls), request_of(), hand)
    hand.answer("/x", 1)
    assert await running.ends() is None
    assert hand.targets == ["/x", "/x"]


async def test_a_shared_request_that_fails_fails_each_call_that_asked(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    route = route_of("calls: {a: {get: 'u:/x', fallback: 1}, b: {get: 'u:/x', fallback: 2}}")
    running = Running(route, request_of(), hand)
    hand.answer("/x", UpstreamFailed("broken"))
    assert await running.ends() is None
    assert (running.value("a"), running.value("b")) == (1, 2)
    assert hand.targets == ["/x"]


async def test_a_condition_that_cannot_be_decided_takes_the_fallback_and_sends_nothing(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    route = route_of("calls: {a: {get: 'u:/a', when: 'query.none == 1', fallback: best}}")
    running = Running(route, request_of(), hand)
    assert await running.ends() is None
    assert running.value("a") == "best"
    assert hand.sent == []


async def test_a_deadline_that_is_over_before_the_start_ends_the_route(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    running = Running(route_of("calls: {a: {get: 'u:/a'}}"), request_of(), hand, seconds=-1)
    assert isinstance(await running.ends(), DeadlineExceeded)


async def test_of_two_failures_the_first_decides(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(route_of("calls: {a: {get: 'u:/a'}, b: {get: 'u:/b'}}"), request_of(), hand)
    await hand.asked("/a", "/b")
    hand.answer("/b", UpstreamFailed("first"))
    hand.answer("/a", UpstreamFailed("second"))
    error = await running.ends()
    assert error is not None
    assert (error.call, error.detail) == ("b", "first")


async def test_a_fallback_that_cannot_be_made_ends_the_route(route_of: Any, request_of: Any, hand: Any) -> None:
    route = route_of(
        "calls: {l: {get: 'u:/l'}, a: {get: 'u:/a', fallback: {$merge: [$.l, {x: 2}], on_conflict: error}}}"
    )
    running = Running(route, request_of(), hand)
    hand.answer("/l", {"x": 1})
    hand.answer("/a", status=500)
    error = await running.ends()
    assert error is not None
    assert (error.code, error.call) == ("merge_failed", "a")


async def test_a_defect_ends_the_request_at_once(route_of: Any, request_of: Any, hand: Any) -> None:
    running = Running(route_of("calls: {a: {get: 'u:/a'}, b: {get: 'u:/b'}}"), request_of(), hand, seconds=60)
    hand.answer("/a", RuntimeError("a defect"))
    await asyncio.wait([running.task], timeout=5)
    assert isinstance(running.task.exception(), RuntimeError)
    assert hand.cancelled == ["/b"]


async def test_a_shared_request_that_fails_when_all_have_given_up_is_nobodys_error(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    route = route_of(
        "calls: {a: {get: 'u:/x', timeout: 5ms, fallback: 0}, b: {get: 'u:/x', timeout: 5ms, fallback: 0}}"
    )
    running = Running(route, request_of(), hand)
    assert await running.ends() is None
    assert hand.targets == ["/x"]


KEPT = "calls: {{a: {{get: 'u:/a', cache: {{ttl: 1m{}}}}}}}"


async def test_a_kept_answer_needs_no_request(route_of: Any, request_of: Any, hand: Any) -> None:
    route, store = route_of(KEPT.format("")), MemoryStore(10**6)
    hand.answer("/a", {"n": 1})
    first = Running(route, request_of(), hand, store=store)
    assert await first.ends() is None
    request = request_of()
    second = Running(route, request, hand, store=store)
    assert await second.ends() is None
    assert (second.value("a"), hand.targets) == ({"n": 1}, ["/a"])
    assert (first.looks, second.looks) == ([("a", "miss", 1)], [("a", "hit", 1)])
    assert [(one.name, one.status, one.requests) for one in request.calls] == [("a", 200, 0)]
    assert second.records == []


async def test_credentials_part_what_is_kept(route_of: Any, request_of: Any, hand: Any) -> None:
    route, store = route_of(KEPT.format("")), MemoryStore(10**6)
    hand.answer("/a", 1)
    for user in ("x", "y", "x"):
        running = Running(route, request_of(headers={"Authorization": user}), hand, store=store)
        assert await running.ends() is None
    assert len(hand.sent) == 2


async def test_a_failure_is_answered_by_what_is_kept_for_it(route_of: Any, request_of: Any, hand: Any) -> None:
    route, store = route_of(KEPT.format(", stale_if_error: 1h")), MemoryStore(10**6)
    hand.answer("/a", 1)
    await Running(route, request_of(), hand, store=store).ends()
    for entry in store._entries.values():
        entry.stored_at -= 90  # as if it were older
    hand.forget("/a")
    hand.answer("/a", UpstreamFailed("broken"))
    running = Running(route, request_of(), hand, store=store)
    assert await running.ends() is None
    assert (running.value("a"), running.looks) == (1, [("a", "miss", 1), ("a", "stale", 1)])
    assert isinstance(running.run.outcomes[0], Done)


async def test_a_batch_asks_only_for_what_is_not_kept_and_keeps_the_order(
    route_of: Any, request_of: Any, hand: Any
) -> None:
    route = route_of(
        "calls: {x: {get: 'u:/x', query: {id: $.batch}, batch: {from: $.params.id}, key: $.id, "
        "cache: {ttl: 1m, per: key}}}"
    )
    store = MemoryStore(10**6)
    hand.answer("/x?id=2&id=3", [{"id": 3}, {"id": 2}])
    hand.answer("/x?id=1&id=4", [{"id": 1}])
    hand.answer("/x?id=4", [])
    for ids, found in (([2, 3], [2, 3]), ([1, 2, 3, 4], [1, 2, 3]), ([3, 4, 1], [3, 1])):
        running = Running(route, request_of(params={"id": ids}), hand, store=store)
        assert await running.ends() is None
        assert [one["id"] for one in running.value("x")] == found
    assert hand.targets == ["/x?id=2&id=3", "/x?id=1&id=4", "/x?id=4"]  # a gap is not kept
    assert running.looks == [("x", "hit", 2), ("x", "miss", 1)]


async def test_a_fan_out_of_which_all_is_kept_makes_no_request(route_of: Any, request_of: Any, hand: Any) -> None:
    route = route_of("calls: {x: {get: 'u:/x/${each}', for_each: $.params.id, cache: {ttl: 1m}}}")
    store = MemoryStore(10**6)
    for number in (1, 2):
        hand.answer(f"/x/{number}", number * 10)
    for _ in range(2):
        running = Running(route, request_of(params={"id": [1, 2]}), hand, store=store)
        assert await running.ends() is None
        assert running.value("x") == [10, 20]
    assert hand.targets == ["/x/1", "/x/2"]


async def test_a_request_makes_no_task_and_no_future_but_one(
    route_of: Any, request_of: Any, hand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard of speed: answers are callbacks."""
    made: list[str] = []
    loop = asyncio.get_running_loop()
    create_future = loop.create_future
    told: dict[str, Any] = {}
    monkeypatch.setattr(hand, "begin", lambda request, done: told.setdefault(request.target, done) and (lambda: None))
    running = Running(route_of("calls: {a: {get: 'u:/a'}, b: {get: 'u:/b/${a.x}'}}"), request_of(), hand)
    monkeypatch.setattr(loop, "create_task", lambda *a, **k: made.append("task"))
    monkeypatch.setattr(loop, "create_future", lambda: made.append("future") or create_future())
    await asyncio.sleep(0)
    told["/a"](UpstreamResponse.of(200, {}, b'{"x":1}'))
    told["/b/1"](UpstreamResponse.of(200, {}, b"2"))
    await running.task
    assert running.value("b") == 2
    assert made == ["future"]
