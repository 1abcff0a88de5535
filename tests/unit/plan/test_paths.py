from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import UnsafeValue
from proxy.plan.paths import PathRule, without_prefix

SEGMENTS = st.lists(st.sampled_from(["api", "v1", "a", "b%2Fc"]), max_size=4)
PREFIXES = st.sampled_from(["", "/api", "/v1", "/api/v1"])


@given(SEGMENTS, PREFIXES, PREFIXES)
def test_the_way_back_leads_to_where_it_came_from(segments: list[str], strip: str, add: str) -> None:
    rule = PathRule(strip, add)
    path = add + "/" + "/".join(segments)
    restored = rule.restore(path)
    assert restored is not None
    assert rule.rewrite(restored) == path


@given(SEGMENTS, PREFIXES, PREFIXES)
def test_a_path_that_was_rewritten_can_be_restored(segments: list[str], strip: str, add: str) -> None:
    rule = PathRule(strip, add)
    path = f"{strip}/" + "/".join(segments)
    assert rule.restore(rule.rewrite(path)) == path


@pytest.mark.parametrize(
    "rule,path,restored",
    [
        (PathRule("/files", "/v1"), "/v1/a", "/files/a"),
        (PathRule("/files", "/v1"), "/v1", "/files"),
        (PathRule("/files", "/v1"), "/v10", None),
        (PathRule("/files", "/v1"), "/login", None),
        (PathRule("/files", ""), "/", "/files/"),
        (PathRule("", "/v1"), "/v1", "/"),
        (PathRule(whole="/fixed"), "/fixed", None),
    ],
)
def test_a_path_outside_of_the_rule_cannot_be_restored(rule: PathRule, path: str, restored: Any) -> None:
    assert rule.restore(path) == restored


def test_a_prefix_is_of_whole_segments() -> None:
    assert without_prefix("/api/x", "/api") == "/x"
    assert without_prefix("/api", "/api") == ""
    assert without_prefix("/apiary", "/api") is None


def rule_of(plan_of: Any, regex: str) -> Any:
    text = "version: 1\nupstreams: {u: http://u}\nroutes:\n  - {name: a, match: '/{rest:path}', proxy: {to: u, path: "
    return plan_of(text + f"{{regex: {regex}}}}}}}\n").routes[0].action


@pytest.mark.parametrize(
    "regex,path,rewritten",
    [
        (r"{match: '^/old/([^/]+)/(.*)$', to: '/new/\2/of/\1'}", "/old/ann/a%2Fb/c", "/new/a%2Fb/c/of/ann"),
        (r"{match: '^/old/', to: /new/}", "/older/x", "/older/x"),
        (r"{match: '[0-9]+', to: n}", "/a1/b2", "/an/b2"),
    ],
)
def test_a_regular_expression_is_replaced_once(plan_of: Any, regex: str, path: str, rewritten: str) -> None:
    action = rule_of(plan_of, regex)
    assert action.rewrite(path) == rewritten
    assert action.restore(rewritten) is None


@pytest.mark.parametrize(
    "regex,path",
    [
        (r"{match: '^/a(.*)$', to: '/\1'}", "/a.."),
        (r"{match: '^/a(.*)$', to: '/\1'}", "/a/x"),
        (r"{match: '^/a', to: x}", "/ab"),
    ],
)
def test_what_would_mean_another_path_is_refused(plan_of: Any, regex: str, path: str) -> None:
    with pytest.raises(UnsafeValue):
        rule_of(plan_of, regex).rewrite(path)


def test_an_expression_that_would_be_slow_elsewhere_is_not(plan_of: Any) -> None:
    assert rule_of(plan_of, "{match: '^/(a+)+$', to: /b}").rewrite("/" + "a" * 8000 + "!") == "/" + "a" * 8000 + "!"


@pytest.mark.parametrize(
    "path,code",
    [
        ("{regex: {match: '(', to: /a}}", "bad-regex"),
        (r"{regex: {match: 'a(?=b)', to: /a}}", "bad-regex"),
        (r"{regex: {match: '^/a', to: '/\1'}}", "bad-regex"),
        ("{regex: {match: '^/a', to: '/a b'}}", "bad-url"),
        ("{regex: {match: '^/a', to: /b}, strip_prefix: /a}", "conflicting-keys"),
    ],
)
def test_a_rule_that_cannot_be_is_a_problem(problems_of: Any, path: str, code: str) -> None:
    text = f"version: 1\nupstreams: {{u: http://u}}\nroutes: [{{name: a, match: /a, proxy: {{to: u, path: {path}}}}}]\n"
    assert [problem.code for problem in problems_of(text)] == [code]


def test_regular_expressions_need_a_package(problems_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.plan.expressions.find_spec", lambda name: None)
    path = "{regex: {match: '^/a', to: /b}}"
    text = f"version: 1\nupstreams: {{u: http://u}}\nroutes: [{{name: a, match: /a, proxy: {{to: u, path: {path}}}}}]\n"
    assert [problem.code for problem in problems_of(text)] == ["missing-extra"]
