from typing import Any

from proxy.plan.proxying import HeaderPlan

HEAD = "version: 1\nupstreams: {u: http://u, v: http://v}\nroutes: [{name: a, match: /a, proxy: "


def test_header_changes_are_empty_only_without_any() -> None:
    assert HeaderPlan().empty
    assert not HeaderPlan(remove=frozenset({"a"})).empty


def test_the_variants_are_the_upstreams_that_may_answer(plan_of: Any) -> None:
    assert plan_of(HEAD + "u}]\n").routes[0].action.variants == ("u",)
    assert plan_of(HEAD + "{split: {to: {v: 1, u: 2}}}}]\n").routes[0].action.variants == ("v", "u")
