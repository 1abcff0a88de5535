from typing import Any

import pytest

from proxy.errors import UnsafeValue
from proxy.expr.scope import Scope

HEAD = "version: 1\nupstreams: {u: http://u}\n"


def action(plan_of: Any, text: str, match: str = "/a/{id}") -> Any:
    return plan_of(HEAD + f"routes: [{{name: a, match: '{match}', {text}}}]").routes[0].action


def test_without_merge_the_answer_has_every_call_under_its_name(plan_of: Any) -> None:
    plan = action(plan_of, "calls: {b: {get: 'u:/b'}, a: {get: 'u:/a'}}")
    assert list(plan.merge(Scope({"a": 1, "b": 2})).items()) == [("b", 2), ("a", 1)]


def test_only_the_parts_of_the_request_that_are_read_are_made(plan_of: Any) -> None:
    plan = action(plan_of, "calls: {a: {get: 'u:/${params.id}', when: 'query.x == \"1\"'}}, merge: $.headers.x")
    assert plan.roots == {"params", "query", "headers"}
    assert not plan.reads_calls


def test_errors_may_come_from_the_defaults(plan_of: Any) -> None:
    text = HEAD + "defaults: {route: {errors: {field: _e}}}\nroutes: [{name: a, match: /a, calls: {a: {get: 'u:/a'}}}]"
    plan = plan_of(text).routes[0].action
    assert (plan.errors_field, plan.errors_header) == ("_e", "X-Partial")


def test_more_calls_than_max_calls_is_a_problem(codes_of: Any) -> None:
    calls = ", ".join(f"c{n}: {{get: 'u:/{n}'}}" for n in range(3))
    assert codes_of(HEAD + f"routes: [{{name: a, match: /a, max_calls: 2, calls: {{{calls}}}}}]") == ["too-many-calls"]


@pytest.mark.parametrize(
    "rule,path,expected",
    [
        ("{}", "/api/x", "/api/x"),
        ("{strip_prefix: /api}", "/api/x", "/x"),
        ("{strip_prefix: /api}", "/api", "/"),
        ("{strip_prefix: /api}", "/apiary", "/apiary"),
        ("{strip_prefix: /api/, add_prefix: /v2/}", "/api/x%2Fy", "/v2/x%2Fy"),
        ("{add_prefix: /v2}", "/", "/v2/"),
        ("{replace: /fixed}", "/api/x", "/fixed"),
    ],
)
def test_a_path_is_rewritten_by_whole_segments(rule: str, path: str, expected: str, plan_of: Any) -> None:
    assert action(plan_of, f"proxy: {{to: u, path: {rule}}}", "/{rest:path}").rewrite(path) == expected


@pytest.mark.parametrize(
    "text,code",
    [
        ("proxy: {to: v}", "unknown-upstream"),
        ("proxy: {to: u, path: {strip_prefix: api}}", "bad-url"),
        ("proxy: {to: u, path: {replace: /x, add_prefix: /y}}", "conflicting-keys"),
        ("proxy: {to: u, headers: {request: {set: {Host: x}}}}", "bad-header"),
        ("redirect: 'javascript:alert(1)'", "bad-redirect"),
        ("redirect: 'https://${params.id}/'", "bad-redirect"),
        ("redirect: '//example.com/'", "bad-redirect"),
        ("redirect: 'https://ho st/'", "bad-redirect"),
        ("reply: {headers: {X: '${null}'}}", "bad-template"),
        ("redirect: '/${params.idd}'", "unknown-param"),
    ],
)
def test_an_action_that_cannot_work_is_a_problem(text: str, code: str, codes_of: Any) -> None:
    assert code in codes_of(HEAD + f"routes: [{{name: a, match: '/a/{{id}}', {text}}}]")


def test_a_reply_is_text_or_json_by_how_it_is_written(plan_of: Any) -> None:
    assert action(plan_of, "reply: {body: 'hello ${params.id}'}").is_text
    assert not action(plan_of, "reply: {body: {a: 1}}").is_text
    assert action(plan_of, "reply: {status: 204}").body is None


def test_a_redirect_keeps_a_value_inside_its_segment(plan_of: Any) -> None:
    plan = action(plan_of, "redirect: 'https://example.com/x/${params.id}?q=${params.id}'")
    assert plan.location(Scope({"params": {"id": "a/b?c"}})) == "https://example.com/x/a%2Fb%3Fc?q=a%2Fb%3Fc"
    with pytest.raises(UnsafeValue):
        plan.location(Scope({"params": {"id": ".."}}))
