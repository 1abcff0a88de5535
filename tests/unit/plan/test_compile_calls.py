from typing import Any

import pytest

from proxy.errors import UnsafeValue
from proxy.expr.scope import Scope
from proxy.plan.compile_calls import may_be_equal

HEAD = "version: 1\nupstreams: {u: http://u, v: http://v}\nroutes:\n  - name: a\n    match: /a/{id}\n    calls:\n"


def calls(*lines: str) -> str:
    return HEAD + "".join(f"      {line}\n" for line in lines)


def composite(plan: Any) -> Any:
    return plan.routes[0].action


def test_the_graph_is_inferred_from_paths_templates_and_cel(plan_of: Any) -> None:
    graph = composite(
        plan_of(
            calls(
                "one: {get: 'u:/1'}",
                "two: {get: 'u:/2/${one.x}'}",
                "three: {get: 'u:/3', query: {q: $.two.y}, headers: {X: $.one.z}}",
                "four: {post: 'u:/4', body: {a: [$.three.x]}, when: 'size(two.y) > 0'}",
                "five: {get: 'u:/5', fallback: $.four.x, after: one}",
                "six: {post: 'u:/6', form: {a: $.calls.five.status}}",
            )
        )
    ).graph
    sources = {name: graph.sources(name) for name in graph.calls}
    assert sources == {
        "one": (),
        "two": ("one",),
        "three": ("one", "two"),
        "four": ("two", "three"),
        "five": ("one",),
        "six": ("five",),
    }
    assert graph.sources("five", fallback=True) == ("four",)


def test_a_call_takes_what_it_does_not_say_from_the_defaults(plan_of: Any) -> None:
    text = "defaults: {call: {timeout: 2s, pass_status: [404], max_body: 1KiB}}\n" + calls(
        "one: {get: 'u:/1'}", "two: {get: 'u:/2', timeout: 1s, pass_status: []}"
    )
    one, two = composite(plan_of(text)).calls
    assert (one.timeout_s, one.pass_status, one.max_body) == (2, {404}, 1024)
    assert (two.timeout_s, two.pass_status) == (1, frozenset())


def test_a_written_null_is_a_fallback_and_a_body(plan_of: Any) -> None:
    one, two = composite(plan_of(calls("one: {get: 'u:/1', fallback: null}", "two: {post: 'u:/2', body: null}"))).calls
    assert one.fallback is not None
    assert one.fallback(Scope({})) is None
    assert two.fallback is None
    assert two.body is not None


def test_only_gets_of_one_upstream_can_be_identical(plan_of: Any) -> None:
    plan = plan_of(
        calls(
            "one: {get: 'u:/x/${params.id}'}",
            "two: {get: 'u:/x/7'}",
            "three: {get: 'v:/x/7'}",
            "four: {post: 'v:/4'}",
            "five: {post: 'v:/5'}",
        )
    )
    assert [call.shared for call in composite(plan).calls] == [True, True, False, False, False]


def test_what_the_client_chose_for_a_later_call_is_checked_before_any_is_made(plan_of: Any) -> None:
    one, two = composite(
        plan_of(calls("one: {get: 'u:/1/${params.id}'}", "two: {get: 'u:/${one.x}/${params.id}'}"))
    ).calls
    assert one.client_checks == ()  # its request is made first of all
    assert len(two.client_checks) == 1


@pytest.mark.parametrize(
    "call,code",
    [
        ("x: {}", "bad-call"),
        ("x: {get: 'u:/', post: 'u:/'}", "bad-call"),
        ("x: {get: /path}", "bad-target"),
        ("x: {get: 'http://u/path'}", "bad-target"),
        ("x: {get: 'w:/path'}", "unknown-upstream"),
        ("x: {get: 'u:path'}", "bad-url"),
        ("x: {get: 'u:/${params.idd}'}", "unknown-param"),
        ("x: {get: 'u:/', select: a.b}", "bad-path"),
        ("x: {get: 'u:/', when: 'a ='}", "bad-cel"),
        ("x: {get: 'u:/', ok_if: 'other.x'}", "unknown-root"),
        ("x: {get: 'u:/', ok_if: query.x}", "unknown-root"),
        ("x: {post: 'u:/', body: {a: '${null}'}}", "bad-template"),
        ("x: {post: 'u:/', body: 1, form: {a: 1}}", "conflicting-keys"),
        ("x: {get: 'u:/', after: [y]}", "unknown-call"),
        ("x: {get: 'u:/', query: {a: {b: 1}}}", "wrong-type"),
        ("params: {get: 'u:/'}", "reserved-name"),
        ("a-b: {get: 'u:/'}", "bad-name"),
        ("x: {get: 'u:/${x.y}'}", "call-cycle"),
    ],
)
def test_a_call_that_cannot_work_is_a_problem(call: str, code: str, codes_of: Any) -> None:
    assert code in codes_of(calls(call))


@pytest.mark.parametrize(
    "part,scope",
    [
        ("get: 'u:/${params.id}/${one.x}'", {"params": {"id": ".."}}),
        ("get: 'u:/${one.x}?q=${query.q}'", {"query": {"q": "a\nb"}}),
        ("get: 'u:/${one.x}', query: {q: $.query.q}", {"query": {"q": "a\nb"}}),
        ("get: 'u:/${one.x}', headers: {X: $.query.q}", {"query": {"q": "a\x00b"}}),
        ("post: 'u:/${one.x}', form: {q: $.query.q}", {"query": {"q": "a\nb"}}),
        ("get: 'u:/${params.id}', lazy: true", {"params": {"id": "."}}),
    ],
)
def test_what_the_client_alone_chose_is_checked_before_a_call_that_waits(part: str, scope: Any, plan_of: Any) -> None:
    two = composite(plan_of(calls("one: {get: 'u:/1'}", f"two: {{{part}}}"))).calls[1]
    (check,) = two.client_checks
    with pytest.raises(UnsafeValue):
        check(Scope(scope))


def test_what_is_missing_is_left_to_the_call_that_reads_it(plan_of: Any) -> None:
    two = composite(plan_of(calls("one: {get: 'u:/1'}", "two: {get: 'u:/${params.id}/${one.x}'}"))).calls[1]
    (check,) = two.client_checks
    assert check(Scope({"params": {}})) is None


@pytest.mark.parametrize(
    "one,other,may",
    [
        ("/a", "/a", True),
        ("/a", "/b", False),
        ("/users/${x.y}", "/products", False),
        ("/users/${x.y}", "/users/7", True),
        ("/users/${x.y}", "/users/${z}?q=1", True),
        ("/users/${x.y}/a", "/users/${x.y}/b", False),
        ("/${x ?? 'a/b'}", "/other/thing", True),  # not understood, so not sure of a no
    ],
)
def test_calls_whose_paths_cannot_be_equal_are_not_compared_when_they_run(one: str, other: str, may: bool) -> None:
    assert may_be_equal(one, other) is may
    assert may_be_equal(other, one) is may
