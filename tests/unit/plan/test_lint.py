from typing import Any

import pytest

HEAD = "version: 1\nupstreams: {u: http://u}\nroutes:\n  - name: a\n    match: /a\n    calls:\n"
HEAD += "      l: {get: 'u:/l'}\n"


@pytest.mark.parametrize(
    "call,merge,codes",
    [
        ("get: 'u:/x'", "$.l", ["unused-call"]),
        ("post: 'u:/x'", "$.l", []),
        ("get: 'u:/x'", "[$.l, $.x]", []),
        ("get: 'u:/x'", "[$.l, $.calls.x.status]", []),
        ("get: 'u:/x', fallback: []", "[$.l, $.x.name]", ["fallback-shape"]),
        ("get: 'u:/x', fallback: {}", "[$.l, '$.x[*].name']", ["fallback-shape"]),
        ("get: 'u:/x', fallback: {}", "[$.l, $.x.name]", []),
        ("get: 'u:/x', fallback: null", "[$.l, $.x.name]", []),
        ("get: 'u:/x', fallback: $.l", "[$.l, $.x.name]", []),
        ("get: 'u:/x', fallback: {$each: $.l, pick: [a]}", "[$.l, $.x.name]", []),
        ("get: 'u:/x/${each}', for_each: $.l", "$.x", ["n-plus-one"]),
        ("post: 'u:/x/${each}', for_each: $.l", "$.x", []),
        ("get: 'u:/x', for_each: $.l", "$.x", ["unused-element"]),
        ("get: 'u:/x', batch: {from: $.l}, key: $.id", "$.x", ["unused-element"]),
        ("get: 'u:/x', query: {id: $.batch}, batch: {from: $.l}, key: $.id", "$.x", []),
        ("get: 'u:/x', when: 'true'", "[$.l, $.x]", ["constant-condition"]),
        ("get: 'u:/x', sample: {a: 1}", "[$.l, $.x.b]", ["path-cannot-match"]),
        ("get: 'u:/x/${each}', for_each: $.l, sample: {a: 1}", "'$.x[*].b'", ["n-plus-one", "path-cannot-match"]),
        ("get: 'u:/x', schema: {properties: {a: {}}}", "[$.l, $.x.b]", ["path-cannot-match"]),
    ],
)
def test_what_is_probably_not_meant_is_a_warning(call: str, merge: str, codes: list[str], codes_of: Any) -> None:
    assert sorted(codes_of(f"{HEAD}      x: {{{call}}}\n    merge: {merge}\n")) == codes


def test_a_call_that_another_comes_after_is_used(codes_of: Any) -> None:
    text = HEAD + "      x: {get: 'u:/x'}\n      y: {get: 'u:/y', after: x}\n    merge: [$.l, $.y]\n"
    assert codes_of(text) == []


def test_warnings_do_not_keep_a_configuration_from_serving(plan_of: Any) -> None:
    assert plan_of(HEAD + "      x: {get: 'u:/x'}\n    merge: $.l\n").routes[0].name == "a"
