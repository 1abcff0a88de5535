from typing import Any

import pytest

from proxy.expr.scope import Scope

HEAD = "version: 1\nupstreams: {u: http://u}\n"


def pages(plan_of: Any, text: str, defaults: str = "{}") -> Any:
    return (
        plan_of(f"{HEAD}defaults: {{route: {defaults}}}\nroutes: [{{name: a, match: '/a/{{id}}', proxy: u{text}}}]")
        .routes[0]
        .error_pages
    )


def test_a_status_stands_before_its_class_whatever_their_order(plan_of: Any) -> None:
    found = pages(plan_of, ", error_pages: {'404': {status: 410}, 4xx: {status: 400}}")
    assert (found[404].status, found[403].status, 500 in found) == (410, 400, False)


def test_a_route_has_its_own_pages_or_those_of_the_defaults(plan_of: Any) -> None:
    defaults = "{error_pages: {5xx: {body: sorry}}}"
    assert set(pages(plan_of, "", defaults)) == set(range(500, 600))
    assert set(pages(plan_of, ", error_pages: {'404': {}}", defaults)) == {404}
    assert pages(plan_of, ", error_pages: {}", defaults) == {}
    assert pages(plan_of, "") == {}


def test_only_what_is_read_of_the_request_is_made(plan_of: Any) -> None:
    found = pages(plan_of, ", error_pages: {'404': {headers: {X: $.query.x}, body: '${params.id} ${error.code}'}}")
    assert found[404].roots == {"query", "params"}


@pytest.mark.parametrize(
    "headers,body",
    [
        ("{Content-Type: text/html}", "<b>&lt;i&gt;</b>"),
        ("{content-type: Text/HTML;charset=utf-8}", "<b>&lt;i&gt;</b>"),
        ("{}", "<b><i></b>"),
        ("{Content-Type: text/plain}", "<b><i></b>"),
    ],
)
def test_in_html_values_are_no_markup(headers: str, body: str, plan_of: Any) -> None:
    found = pages(plan_of, f", error_pages: {{'404': {{headers: {headers}, body: '<b>${{query.q}}</b>'}}}}")
    assert found[404].body(Scope({"query": {"q": "<i>"}})) == body


def test_a_hole_that_has_no_value_is_empty(plan_of: Any) -> None:
    found = pages(plan_of, ", error_pages: {'404': {body: 'a${query.q}b${query.l}'}}")
    assert found[404].body(Scope({"query": {"l": [1]}})) == "ab"


@pytest.mark.parametrize(
    "text,code",
    [
        ("proxy: u, error_pages: {'200': {}}", "bad-status"),
        ("proxy: u, error_pages: {50x: {}}", "bad-status"),
        ("proxy: u, error_pages: {5xx: {body: '${body.x}'}}", "unknown-root"),
        ("proxy: u, error_pages: {5xx: {body: '${x'}}", "bad-template"),
        ("proxy: u, error_pages: {5xx: {text: x}}", "unknown-key"),
        ("proxy: u, error_pages: {5xx: {headers: {Connection: x}}}", "bad-header"),
        ("reply: {}, error_pages: {5xx: {body: x}}", "conflicting-keys"),
    ],
)
def test_a_page_that_cannot_be_is_a_problem(text: str, code: str, codes_of: Any) -> None:
    assert codes_of(f"{HEAD}routes: [{{name: a, match: /a, {text}}}]") == [code]


def test_a_page_of_the_defaults_knows_no_params_of_a_route(codes_of: Any) -> None:
    text = "defaults: {route: {error_pages: {5xx: {body: '${params.id}'}}}}\n"
    assert codes_of(f"{HEAD}{text}routes: [{{name: a, match: '/a/{{id}}', proxy: u}}]") == ["unknown-param"]
