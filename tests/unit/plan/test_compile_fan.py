from typing import Any

HEAD = "version: 1\nupstreams: {u: http://u}\nroutes:\n  - name: a\n    match: POST /a\n    calls:\n"
HEAD += "      l: {get: 'u:/l'}\n"


def fan_of(plan_of: Any, call: str, route: str = "") -> Any:
    plan = plan_of(HEAD + f"      x: {{{call}}}\n{route}")
    return plan.routes[0].action.calls[1]


def test_for_each_is_a_request_for_each_value(plan_of: Any) -> None:
    call = fan_of(plan_of, "get: 'u:/${each}', for_each: '$.l[*].id', concurrency: 3, distinct: false, tolerate: 20%")
    fan = call.fan
    assert (fan.size, fan.concurrency, fan.distinct, fan.tolerate, fan.max_items) == (None, 3, False, 0.2, 1000)
    assert not fan.client
    assert call.requires == (0,)
    assert call.keyed.select is None


def test_a_batch_is_a_request_for_each_chunk(plan_of: Any) -> None:
    call = fan_of(plan_of, "get: 'u:/x', query: {id: $.batch}, batch: {from: $.l, size: 7}, key: $.id, many: true")
    assert call.fan.size == 7
    assert call.keyed.many


def test_values_that_the_client_chose_are_its_responsibility(plan_of: Any) -> None:
    call = fan_of(plan_of, "get: 'u:/${each}', for_each: $.body.ids")
    assert call.fan.client


def test_the_limit_is_the_routes_or_the_defaults(plan_of: Any) -> None:
    call = "get: 'u:/${each}', for_each: $.l"
    assert fan_of(plan_of, call, "    max_items: 5\n").fan.max_items == 5
    defaults = "defaults: {route: {max_items: 6}}\n"
    plan = plan_of(HEAD.replace("routes:", defaults + "routes:") + f"      x: {{{call}}}\n")
    assert plan.routes[0].action.calls[1].fan.max_items == 6


def test_a_condition_on_each_decides_for_each(plan_of: Any) -> None:
    assert fan_of(plan_of, "get: 'u:/${each}', for_each: $.l, when: each > 1").when_each
    assert not fan_of(plan_of, "get: 'u:/${each}', for_each: $.l, when: size(l) > 1").when_each


def test_an_ordinary_call_may_have_a_key(plan_of: Any) -> None:
    call = fan_of(plan_of, "get: 'u:/x', key: id, key_type: str")
    assert call.fan is None
    assert call.keyed.as_text
    assert call.keyed.key_in({"id": 3}) == "3"


def test_equal_requests_of_one_fan_out_may_share_an_answer(plan_of: Any) -> None:
    assert fan_of(plan_of, "get: 'u:/${each}', for_each: $.l, distinct: false").shared
