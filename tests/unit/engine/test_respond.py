from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.engine.outcome import Done, Failed, Skipped
from proxy.engine.respond import partial_calls, respond
from proxy.errors import UpstreamInvalid, UpstreamStatus
from proxy.expr.scope import Scope

TEXT = """
errors: {field: _errors}
respond: {status: 201, headers: {X-Name: $.a.name, X-Gone: $.a.gone}}
calls: {a: {get: 'u:/a'}, b: {get: 'u:/b', fallback: 0}, c: {get: 'u:/c'}}
merge: {name: $.a.name}
"""
DONE = Done(200, CIMultiDict(), {})
FAILED = Failed(UpstreamStatus(503), 503)


def test_an_answer_has_the_merged_body_and_the_routes_status_and_headers(route_of: Any) -> None:
    response = respond(route_of(TEXT).action, Scope({"a": {"name": "Ann"}}), [DONE, DONE, Skipped()])
    assert (response.status, response.body) == (201, b'{"name":"Ann"}')
    assert dict(response.headers) == {"Content-Type": "application/json", "X-Name": "Ann"}


def test_a_partial_answer_says_so_and_is_never_stored(route_of: Any) -> None:
    response = respond(route_of(TEXT).action, Scope({"a": {"name": "Ann"}}), [DONE, FAILED, DONE])
    assert response.partial == ("b",)
    assert response.headers["X-Partial"] == "b"
    assert response.headers["Cache-Control"] == "no-store"
    assert b'"_errors":[{"call":"b","code":"upstream_status","status":503}]' in response.body


def test_the_mark_of_an_inner_gateway_is_carried_over_in_the_order_of_the_file(route_of: Any) -> None:
    inner = Done(200, CIMultiDict(), {}, "x, y")
    assert partial_calls(route_of(TEXT).action, [inner, FAILED, DONE]) == ("a.x", "a.y", "b")


def test_a_body_that_is_no_object_has_no_field_of_errors(route_of: Any) -> None:
    route = route_of(TEXT.replace("merge: {name: $.a.name}", "merge: [1]"))
    assert respond(route.action, Scope({"a": {}}), [DONE, FAILED, DONE]).body == b"[1]"


def test_a_missing_root_is_null(route_of: Any) -> None:
    route = route_of(TEXT.replace("merge: {name: $.a.name}", "merge: $.a.none"))
    assert respond(route.action, Scope({"a": {}}), [DONE, DONE, DONE]).body == b"null"


def test_an_answer_that_cannot_be_written_is_the_upstreams_fault(route_of: Any) -> None:
    route = route_of(TEXT.replace("headers: {X-Name: $.a.name, X-Gone: $.a.gone}", "headers: {}"))
    with pytest.raises(UpstreamInvalid):
        respond(route.action, Scope({"a": {"name": "\ud800"}}), [DONE, DONE, DONE])
