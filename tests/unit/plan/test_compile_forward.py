from pathlib import Path
from typing import Any

import pytest

from proxy.loading import load
from proxy.plan.auth import ForwardPlan


def loaded(tmp_path: Path, auth: str) -> Any:
    (tmp_path / "routes.yaml").write_text(
        f"version: 1\nupstreams: {{iam: http://iam}}\nauth: {{a: {{type: forward, {auth}}}}}\n"
        "routes: [{name: r, match: GET /, auth: a, reply: {body: $.claims}}]\n"
    )
    return load(str(tmp_path / "routes.yaml"), {})


def test_who_decides_sees_credentials_unless_said(tmp_path: Path) -> None:
    auth = loaded(tmp_path, "to: 'iam:/verify?for=gateway'").plan.routes[0].auth
    plan = auth.providers[0]
    assert isinstance(plan, ForwardPlan)
    assert (plan.upstream, plan.target, plan.timeout_s) == ("iam", "/verify?for=gateway", 5)
    assert auth.headers == plan.asks == ("Authorization", "Cookie")


def test_headers_go_both_ways_by_list(tmp_path: Path) -> None:
    said = "request_headers: [X-Key], upstream_headers: X-User, client_headers: [Set-Cookie], claims: {sub: X-User}"
    plan = loaded(tmp_path, f"to: 'iam:/v', timeout: 1s, {said}").plan.routes[0].auth.providers[0]
    assert (plan.asks, plan.passes, plan.tells) == (("X-Key",), ("X-User",), ("Set-Cookie",))
    assert (plan.claims, plan.timeout_s) == ((("sub", "X-User"),), 1)


@pytest.mark.parametrize(
    "auth,code",
    [
        ("timeout: 1s", "missing-key"),
        ("to: iam", "bad-target"),
        ("to: 'http://iam/v'", "bad-target"),
        ("to: 'iam:/v/${params.x}'", "bad-target"),
        ("to: 'iam:v'", "bad-url"),
        ("to: 'ian:/v'", "unknown-upstream"),
        ("to: 'iam:/v', request_headers: [Host]", "bad-header"),
        ("to: 'iam:/v', upstream_headers: ['X User']", "bad-header"),
        ("to: 'iam:/v', claims: {sub: 'X User'}", "bad-header"),
        ("to: 'iam:/v', keys: {}", "conflicting-keys"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, auth: str, code: str) -> None:
    problems = loaded(tmp_path, auth).problems
    assert [problem.code for problem in problems] == [code]
    assert problems[0].span.line == 3
