from typing import Any

import pytest

from proxy.policy.ratelimit import Limit

HEAD = "version: 1\nroutes: [{name: a, match: '/{id}', reply: {}, rate_limit: "


def test_a_limit_has_a_burst_of_its_number_unless_said(plan_of: Any) -> None:
    first, second = (
        plan_of(HEAD + "[100/1m, {rate: 5/1s, burst: 2, key: $.params.id, name: b}]}]\n").routes[0].rate_limits
    )
    assert (first.limit, first.key_text) == (Limit(100, 60.0, 100), "$.client.ip")
    assert (second.limit, second.roots) == (Limit(5, 1.0, 2), frozenset({"params", "client"}))


def test_a_route_without_one_has_none(plan_of: Any) -> None:
    assert plan_of(HEAD.replace(", rate_limit: ", "") + "}]\n").routes[0].rate_limits == ()


@pytest.mark.parametrize(
    "limit,code",
    [
        ("[5/1s, 6/1s]", "duplicate-name"),
        ("{rate: 5/1s, key: '$.headers[*]'}", "plural-path"),
        ("{rate: 5/1s, key: $.body.user}", "unknown-root"),
        ("{rate: 5/1s, key: $.nothing}", "unknown-root"),
        ("5 a minute", "bad-rate"),
    ],
)
def test_what_cannot_be_is_a_problem(problems_of: Any, limit: str, code: str) -> None:
    assert [problem.code for problem in problems_of(HEAD + limit + "}]\n")] == [code]
