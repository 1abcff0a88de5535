from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.cache.memory import MemoryStore
from proxy.engine.ask import Way
from proxy.engine.caching import CallCache
from proxy.engine.outcome import Done, Failed
from proxy.errors import UpstreamFailed
from proxy.upstream.exchange import UpstreamRequest, UpstreamResponse


def make(route_of: Any, cache: str = "{ttl: 10s}", rest: str = "") -> CallCache:
    call = route_of(f"calls: {{a: {{get: 'u:/a', cache: {cache}{rest}}}}}").action.calls[0]
    assert call.cache is not None
    return CallCache(call, call.cache, MemoryStore(10**6), "u")


def sent(headers: dict[str, str] | None = None, target: str = "/a") -> UpstreamRequest:
    return UpstreamRequest(method="GET", target=target, headers=list((headers or {}).items()), body=None, max_body=9)


def done(value: Any = 1, headers: dict[str, str] | None = None, partial: str | None = None) -> Done:
    return Done(200, CIMultiDict(headers or {}), value, partial, 10)


def kept(cache: CallCache, outcome: Done, request: UpstreamRequest | None = None, now: float = 1.0) -> Any:
    """What is found of an answer that came at 0."""
    request = request or sent()
    cache.keep(cache.key(request), request, outcome, 0.0)
    found = cache.find(cache.key(request), now)
    return None if found is None else (found.done.value, found.stale)


def test_an_answer_is_kept_for_its_time(route_of: Any) -> None:
    assert kept(make(route_of), done(), now=9.9) == (1, False)
    assert kept(make(route_of), done(), now=10.0) is None


@pytest.mark.parametrize(
    "headers,now,found",
    [
        ({"Cache-Control": "max-age=5"}, 4.9, True),
        ({"Cache-Control": "max-age=5"}, 5.0, False),
        ({"Cache-Control": "max-age=5", "Age": "3"}, 2.0, False),
        ({"Cache-Control": "max-age=5, s-maxage=1"}, 2.0, False),
        ({"Cache-Control": "max-age=500"}, 10.0, False),
        ({"Cache-Control": "public"}, 9.0, True),
        ({"Cache-Control": "no-store"}, 0.0, False),
        ({"Cache-Control": "private, max-age=9"}, 0.0, False),
        ({"Cache-Control": "no-cache"}, 0.0, False),
        ({"Set-Cookie": "a=b"}, 0.0, False),
        ({"Vary": "*"}, 0.0, False),
        ({"Vary": "Accept-Language, Accept-Encoding"}, 0.0, True),
    ],
)
def test_what_the_answer_says_can_only_shorten_that(
    headers: dict[str, str], now: float, found: bool, route_of: Any
) -> None:
    assert (kept(make(route_of), done(headers=headers), now=now) is not None) is found


def test_what_is_partial_or_failed_is_not_kept(route_of: Any) -> None:
    cache = make(route_of)
    assert kept(cache, done(partial="inner")) is None
    cache.keep(cache.key(sent()), sent(), Failed(UpstreamFailed("broken")), 0.0)
    assert cache.find(cache.key(sent()), 0.0) is None


def test_the_key_has_all_that_is_sent_but_what_names_the_one_request(route_of: Any) -> None:
    cache = make(route_of)
    one = cache.key(sent({"X-Request-Id": "1", "Traceparent": "t", "Authorization": "a"}))
    assert one == cache.key(sent({"x-request-id": "2", "authorization": "a"}))
    assert one != cache.key(sent({"Authorization": "b"}))
    assert one != cache.key(sent({"Authorization": "a"}, "/b"))
    assert cache.key(sent({"Accept-Language": "de"})) != cache.key(sent({"Accept-Language": "en"}))


def test_a_header_of_taste_parts_answers_only_if_the_call_says_so_and_the_answer_agrees(route_of: Any) -> None:
    cache = make(route_of, "{ttl: 10s, vary: []}")
    german = sent({"Accept-Language": "de"})
    assert cache.key(german) == cache.key(sent())
    assert kept(cache, done(), german) == (1, False)
    assert kept(make(route_of, "{ttl: 10s, vary: []}"), done(headers={"Vary": "Accept-Language"}), german) is None


def test_calls_that_read_answers_otherwise_do_not_share_them(route_of: Any) -> None:
    store = MemoryStore(10**6)
    plans = [
        route_of(f"calls: {{a: {{get: 'u:/a', cache: {{ttl: 9s}}{rest}}}}}").action.calls[0]
        for rest in ("", ", select: $.x", "")
    ]
    keys = [CallCache(plan, plan.cache, store, "u").key(sent()) for plan in plans]
    assert keys[0] == keys[2] != keys[1]
    elsewhere = CallCache(plans[0], plans[0].cache, store, "other")
    assert elsewhere.key(sent()) != keys[0]


def test_a_stale_answer_serves_for_a_while(route_of: Any) -> None:
    cache = "{ttl: 10s, stale_while_revalidate: 5s}"
    assert kept(make(route_of, cache), done(), now=14.9) == (1, True)
    assert kept(make(route_of, cache), done(), now=15.0) is None


def test_a_failure_is_rescued_by_a_stale_answer(route_of: Any) -> None:
    cache = make(route_of, "{ttl: 10s, stale_if_error: 20s}")
    assert cache.rescue("none", 0.0) is None
    assert kept(cache, done(), now=12.0) is None  # not used while the call works
    rescued = cache.rescue(cache.key(sent()), 29.9)
    assert rescued is not None
    assert rescued.value == 1
    assert cache.rescue(cache.key(sent()), 30.0) is None


def test_the_time_in_the_cache_counts_against_the_lifetime(route_of: Any) -> None:
    cache = make(route_of)
    cache.keep(cache.key(sent()), sent(), done(headers={"Cache-Control": "max-age=9", "Age": "2"}), 0.0)
    found = cache.find(cache.key(sent()), 3.5)
    assert found is not None
    assert found.done.headers["Age"] == "5"


async def test_a_stale_answer_is_asked_for_anew_once_at_a_time(route_of: Any) -> None:
    cache = make(route_of, "{ttl: 1s, stale_while_revalidate: 9s}")
    key, begun = cache.key(sent()), []

    def begin(request: UpstreamRequest, done: Any) -> Any:
        begun.append(done)
        return lambda: None

    cache.refresh(key, sent(), Way(begin), 5.0)
    cache.refresh(key, sent(), Way(begin), 5.0)
    assert len(begun) == 1
    begun[0](UpstreamResponse.of(200, {}, b"2"))
    found = cache.find(key, 5.5)
    assert found is not None
    assert (found.done.value, found.stale) == (2, False)
    cache.refresh(key, sent(), Way(begin), 9.0)
    begun[1](RuntimeError("a defect"))  # logged, and the next may try again
    cache.refresh(key, sent(), Way(begin), 9.0)
    assert len(begun) == 3


def test_a_batch_keeps_each_element_under_its_own_key(route_of: Any) -> None:
    call = route_of(
        "calls: {a: {get: 'u:/a', query: {id: $.batch}, batch: {from: $.query_all.ids}, key: $.id, "
        "cache: {ttl: 9s, per: key}}}"
    ).action.calls[0]
    cache = CallCache(call, call.cache, MemoryStore(10**6), "u")
    answer = done([{"id": 1, "n": "one"}, {"id": 9, "n": "not asked for"}])
    cache.keep_elements("base", sent(), [1, 2], answer, 0.0)
    found, wanted = cache.find_elements("base", [2, 1, 9], call.keyed, 1.0)
    assert [(element, kept.value) for element, kept in found] == [(1, [{"id": 1, "n": "one"}])]
    assert wanted == [2, 9]
    assert cache.find_elements("other", [1], call.keyed, 1.0) == ([], [1])
    cache.keep_elements("base", sent(), [2], Failed(UpstreamFailed("broken")), 0.0)
    assert cache.find_elements("base", [2], call.keyed, 1.0)[1] == [2]
