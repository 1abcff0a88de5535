from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
