import gzip
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.engine.call import build_request, is_wanted, judge
from proxy.engine.outcome import Done, Failed, header_mapping
from proxy.errors import ExtractionFailed, UnsafeValue
from proxy.expr.scope import Scope
from proxy.upstream.exchange import UpstreamResponse


def response(body: bytes = b"{}", status: int = 200, **headers: str) -> UpstreamResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return UpstreamResponse.of(status, CIMultiDict(named), body)


def call_of(route_of: Any, text: str) -> Any:
    return route_of(f"calls: {{x: {{{text}}}, other: {{get: 'u:/o'}}}}").action.calls[0]


def test_a_request_is_made_of_target_query_headers_and_body(route_of: Any) -> None:
    call = call_of(
        route_of, "post: 'u:/a/${params.id}?v=1', query: {q: $.params.id}, headers: {X-A: b}, body: {n: $.params.id}"
    )
    request = build_request(call, Scope({"params": {"id": "x y"}}), [("Accept", "application/json")])
    assert (request.method, request.target, request.body) == ("POST", "/a/x%20y?v=1&q=x%20y", b'{"n":"x y"}')
    assert dict(request.headers) == {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "X-A": "b",
    }


def test_a_form_is_percent_encoded(route_of: Any) -> None:
    call = call_of(route_of, "post: 'u:/', form: {a: 'b c', d: [1, 2], e: null}")
    request = build_request(call, Scope({}), [])
    assert request.body == b"a=b%20c&d=1&d=2"
    assert dict(request.headers)["Content-Type"] == "application/x-www-form-urlencoded"


def test_a_header_of_the_route_replaces_one_that_is_forwarded(route_of: Any) -> None:
    call = call_of(route_of, "get: 'u:/', headers: {accept: text/plain}")
    assert build_request(call, Scope({}), [("Accept", "*/*")]).headers == [("accept", "text/plain")]


def test_a_value_that_would_leave_its_segment_is_refused(route_of: Any) -> None:
    call = call_of(route_of, "get: 'u:/a/${params.id}'")
    with pytest.raises(UnsafeValue):
        build_request(call, Scope({"params": {"id": ".."}}), [])


def test_a_body_that_cannot_be_written_fails_the_call(route_of: Any) -> None:
    call = call_of(route_of, "post: 'u:/', body: $.params.id")
    with pytest.raises(ExtractionFailed):
        build_request(call, Scope({"params": {"id": "\ud800"}}), [])


@pytest.mark.parametrize("query,wanted", [({"x": "on"}, True), ({"x": "off"}, False)])
def test_when_decides(query: dict[str, str], wanted: bool, route_of: Any) -> None:
    call = call_of(route_of, "get: 'u:/', when: 'query.x == \"on\"'")
    assert is_wanted(call, Scope({"query": query})) is wanted


@pytest.mark.parametrize("when", ["query.none == 1", "query.x"])
def test_a_condition_that_is_no_decision_fails_the_call(when: str, route_of: Any) -> None:
    call = call_of(route_of, f"get: 'u:/', when: '{when}'")
    with pytest.raises(ExtractionFailed):
        is_wanted(call, Scope({"query": {"x": "on"}}))


@pytest.mark.parametrize(
    "text,answer,value",
    [
        ("get: 'u:/'", response(b'{"a":1}'), {"a": 1}),
        ("get: 'u:/'", response(b""), None),
        ("get: 'u:/'", response(b"[1]", 201), [1]),
        ("get: 'u:/'", response(b'"x"'), "x"),
        ("get: 'u:/', decode: text", response("é".encode()), "é"),
        ("get: 'u:/', select: $.a.b", response(b'{"a":{"b":2}}'), 2),
        ("get: 'u:/', select: '$[*].a'", response(b'[{"a":1},{}]'), [1]),
        ("get: 'u:/', ok: [404]", response(b"{}", 404), {}),
        ("get: 'u:/', ok_if: 'body.ok && status == 200'", response(b'{"ok":true}'), {"ok": True}),
        ("get: 'u:/'", response(gzip.compress(b"[1]"), Content_Encoding="gzip"), [1]),
    ],
)
def test_an_answer_means_a_value(text: str, answer: UpstreamResponse, value: object, route_of: Any) -> None:
    outcome = judge(call_of(route_of, text), answer)
    assert isinstance(outcome, Done)
    assert outcome.value == value


@pytest.mark.parametrize(
    "text,answer,code",
    [
        ("get: 'u:/'", response(b"{}", 404), "upstream_status"),
        ("get: 'u:/'", response(b"{}", 302), "upstream_status"),
        ("get: 'u:/'", response(b"{"), "upstream_invalid"),
        ("get: 'u:/'", response(b"[" * 100_000), "upstream_invalid"),
        ("get: 'u:/', decode: text", response(b"\xff"), "upstream_invalid"),
        ("get: 'u:/', select: $.a", response(b"{}"), "extraction_failed"),
        ("get: 'u:/', ok_if: body.ok", response(b'{"ok":false}'), "upstream_invalid"),
        ("get: 'u:/', ok_if: body.ok", response(b"{}"), "upstream_invalid"),
        ("get: 'u:/'", response(b"x", Content_Encoding="br"), "upstream_invalid"),
        (
            "get: 'u:/', max_body: 1KiB",
            response(gzip.compress(b"0" * 2000), Content_Encoding="gzip"),
            "upstream_too_large",
        ),
    ],
)
def test_an_answer_may_mean_a_failure(text: str, answer: UpstreamResponse, code: str, route_of: Any) -> None:
    outcome = judge(call_of(route_of, text), answer)
    assert isinstance(outcome, Failed)
    assert outcome.error.code == code
    assert outcome.status == answer.status


def test_a_body_is_kept_for_passing_only_where_it_is_json_and_asked_for(route_of: Any) -> None:
    asked = call_of(route_of, "get: 'u:/', pass_status: [404], pass_body: true")
    bodies = [
        judge(asked, response(b'{"e":1}', 404, Content_Type="application/problem+json")),
        judge(asked, response(b"<html>", 404, Content_Type="text/html")),
        judge(asked, response(b'{"e":1}', 500, Content_Type="application/json")),
    ]
    assert [outcome.body for outcome in bodies if isinstance(outcome, Failed)] == [b'{"e":1}', None, None]


@pytest.mark.parametrize("body,coding", [(b"{", ""), (gzip.compress(b'{"e":1}', mtime=0)[:-3], "gzip"), (b"{}", "br")])
def test_a_body_that_cannot_be_read_is_not_passed(body: bytes, coding: str, route_of: Any) -> None:
    call = call_of(route_of, "get: 'u:/', pass_status: [404], pass_body: true")
    outcome = judge(call, response(body, 404, Content_Type="application/json", Content_Encoding=coding))
    assert isinstance(outcome, Failed)
    assert outcome.body is None


def test_a_body_is_passed_without_its_coding(route_of: Any) -> None:
    call = call_of(route_of, "get: 'u:/', pass_status: [404], pass_body: true")
    body = gzip.compress(b'{"e":1}')
    outcome = judge(call, response(body, 404, Content_Type="application/json", Content_Encoding="gzip"))
    assert isinstance(outcome, Failed)
    assert outcome.body == b'{"e":1}'


def test_the_mark_of_an_inner_gateway_is_kept(route_of: Any) -> None:
    outcome = judge(call_of(route_of, "get: 'u:/'"), response(b"{}", X_Partial="a, b"))
    assert isinstance(outcome, Done)
    assert outcome.inner_partial == "a, b"


def test_headers_are_one_mapping_in_lower_case_with_repeats_joined() -> None:
    headers = CIMultiDict([("X-A", "1"), ("x-a", "2"), ("B", "3")])
    assert header_mapping(headers) == {"x-a": "1, 2", "b": "3"}


def test_a_query_without_any_value_leaves_the_target_as_it_is(route_of: Any) -> None:
    call = call_of(route_of, "get: 'u:/a', query: {x: null}")
    assert build_request(call, Scope({}), []).target == "/a"


def test_a_body_of_nothing_is_null(route_of: Any) -> None:
    call = call_of(route_of, "post: 'u:/a', body: $.query.none")
    assert build_request(call, Scope({"query": {}}), []).body == b"null"


def test_what_is_selected_may_be_null_but_not_missing(route_of: Any) -> None:
    outcome = judge(call_of(route_of, "get: 'u:/', select: $.a"), response(b'{"a":null}'))
    assert isinstance(outcome, Done)
    assert outcome.value is None
