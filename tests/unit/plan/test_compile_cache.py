from typing import Any

import pytest

HEAD = "version: 1\nupstreams: {u: 'http://u'}\nroutes:\n  - name: r\n    match: /r\n    calls:\n"


def call(text: str) -> str:
    return f"{HEAD}      ids: {{get: 'u:/ids'}}\n      a: {{{text}}}\n"


def test_what_is_kept_is_a_plan(plan_of: Any) -> None:
    text = "get: 'u:/a', cache: {ttl: 1m, stale_if_error: 1h, vary: [Accept-Language]}, query: {x: $.ids}"
    plan = plan_of(call(text)).routes[0].action.calls[1]
    assert (plan.cache.ttl_s, plan.cache.stale_if_error_s, plan.cache.per_key) == (60, 3600, False)
    assert plan.cache.vary == {"accept-language"}
    assert plan.coalesce


def test_calls_share_a_request_under_way_only_if_they_say_so(plan_of: Any) -> None:
    for text, coalesce in (
        ("get: 'u:/a'", False),
        ("get: 'u:/a', coalesce: true", True),
        ("get: 'u:/a', cache: {ttl: 1s}, coalesce: false", False),
    ):
        assert plan_of(call(text)).routes[0].action.calls[1].coalesce is coalesce


BATCH = "key: $.id, batch: {from: $.ids}"


@pytest.mark.parametrize(
    "text,code",
    [
        ("post: 'u:/a', cache: {ttl: 1s}", "conflicting-keys"),
        ("post: 'u:/a', coalesce: true", "conflicting-keys"),
        ("get: 'u:/a', cache: {ttl: 0s}", "bad-duration"),
        ("get: 'u:/a', cache: {ttl: 1s, per: key}", "conflicting-keys"),
        ("get: 'u:/a/${each}', for_each: $.ids, cache: {ttl: 1s, per: key}", "conflicting-keys"),
        ("get: 'u:/a/${batch[0]}', cache: {ttl: 1s, per: key}, " + BATCH, "conflicting-keys"),
        ("get: 'u:/a', when: 'size(batch) > 1', cache: {ttl: 1s, per: key}, " + BATCH, "conflicting-keys"),
        ("get: 'u:/a', cache: {ttl: 1s, per: key, stale_if_error: 1s}, " + BATCH, "conflicting-keys"),
        ("get: 'u:/a', cache: {ttl: 1s, vary: [a b]}", "bad-header"),
        ("get: 'u:/a', cache: {}", "missing-key"),
    ],
)
def test_what_cannot_be_kept_is_a_problem(text: str, code: str, codes_of: Any) -> None:
    assert code in codes_of(call(text))
