import json
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.engine.outcome import Done, Failed, Fanned, Skipped
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


def done(**headers: str) -> Done:
    return Done(200, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}), {})


def headers_of(route_of: Any, text: str, *outcomes: Any) -> Any:
    return respond(route_of(text).action, Scope({"a": {}, "b": {}}), list(outcomes)).headers


TWO = "calls: {a: {get: 'u:/a'}, b: {get: 'u:/b', fallback: 0}}\nmerge: 1\n"
LONG, SHORT = done(Cache_Control="public, max-age=60"), done(Cache_Control="public, max-age=5")


def test_an_answer_is_fresh_for_as_long_as_every_call(route_of: Any) -> None:
    assert headers_of(route_of, TWO, LONG, SHORT)["Cache-Control"] == "public, max-age=5"
    assert headers_of(route_of, TWO, LONG, Skipped())["Cache-Control"] == "public, max-age=60"
    assert "Cache-Control" not in headers_of(route_of, TWO, LONG, DONE)
    assert headers_of(route_of, TWO, LONG, FAILED)["Cache-Control"] == "no-store"


def test_what_the_answer_to_a_post_is_worth_nobody_knows(route_of: Any) -> None:
    assert "Cache-Control" not in headers_of(route_of, TWO.replace("get: 'u:/b'", "post: 'u:/b'"), LONG, SHORT)


def test_the_routes_own_cache_control_and_vary_stand(route_of: Any) -> None:
    own = TWO + "respond: {headers: {Cache-Control: max-age=1, Vary: X}}\n"
    headers = headers_of(route_of, own, done(Cache_Control="no-store", Vary="Y"), SHORT)
    assert (headers["Cache-Control"], headers["Vary"]) == ("max-age=1", "X")


def test_an_answer_varies_with_what_its_calls_and_expressions_do(route_of: Any) -> None:
    text = TWO.replace("merge: 1", "merge: $.headers.x-who ?? $.cookies.c")
    made = headers_of(
        route_of, text, done(Vary="Accept-Language, Accept-Encoding"), done(Vary="accept-language, X-Who")
    )
    assert made["Vary"] == "x-who, cookie, Accept-Language"
    assert headers_of(route_of, text, done(Vary="*"), DONE)["Vary"] == "*"


def test_an_answer_that_reads_the_clients_address_is_private(route_of: Any) -> None:
    text = TWO.replace("merge: 1", "merge: $.client.ip")
    assert headers_of(route_of, text, LONG, SHORT)["Cache-Control"] == "private, max-age=5"


COOKIES = Done(200, CIMultiDict([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Cache-Control", "max-age=9")]), {})


def test_cookies_pass_only_by_choice_all_and_in_order_and_are_not_stored(route_of: Any) -> None:
    chosen = TWO.replace("'u:/b'", "'u:/b', set_cookie: true").replace("'u:/a'", "'u:/a', set_cookie: true")
    headers = headers_of(route_of, chosen, done(Set_Cookie="c=3", Cache_Control="max-age=9"), COOKIES)
    assert headers.getall("Set-Cookie") == ["c=3", "a=1", "b=2"]
    assert headers["Cache-Control"] == "private, no-store"
    assert "Set-Cookie" not in headers_of(route_of, TWO, COOKIES, COOKIES)


def test_a_choice_of_cookies_does_not_matter_to_an_answer_without(route_of: Any) -> None:
    chosen = TWO.replace("'u:/b'", "'u:/b', set_cookie: true")
    headers = headers_of(route_of, chosen, LONG, SHORT)
    assert (headers["Cache-Control"], "Set-Cookie" in headers) == ("public, max-age=5", False)


def test_every_answer_of_a_fan_out_counts(route_of: Any) -> None:
    text = TWO.replace("get: 'u:/b'", "get: 'u:/b', for_each: $.query_all.b, set_cookie: true")
    plain = Fanned([LONG, SHORT], [])
    assert headers_of(route_of, text, LONG, plain)["Cache-Control"] == "public, max-age=5"
    cookies = headers_of(route_of, text, LONG, Fanned([COOKIES, done(Set_Cookie="c=3")], []))
    assert cookies.getall("Set-Cookie") == ["a=1", "b=2", "c=3"]


def test_what_a_route_says_of_caching_does_not_hold_for_a_partial_answer(route_of: Any) -> None:
    route = route_of(TEXT.replace("X-Gone: $.a.gone", "Cache-Control: max-age=60"))
    scope = Scope({"a": {"name": "Ann"}})
    assert respond(route.action, scope, [DONE, DONE, DONE]).headers.getall("Cache-Control") == ["max-age=60"]
    assert respond(route.action, scope, [DONE, FAILED, DONE]).headers.getall("Cache-Control") == ["no-store"]


def test_a_fan_out_lists_each_element_that_failed(route_of: Any) -> None:
    fanned = Fanned([DONE], [(7, FAILED), (8, FAILED)])
    response = respond(route_of(TEXT).action, Scope({"a": {"name": "Ann"}}), [DONE, fanned, DONE])
    assert response.partial == ("b",)
    listed = json.loads(response.body)["_errors"]
    assert [(one["call"], one["status"], one["key"]) for one in listed] == [("b", 503, 7), ("b", 503, 8)]
