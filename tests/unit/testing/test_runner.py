from pathlib import Path
from typing import Any

import pytest

from proxy.loading import load
from proxy.testing.runner import run_tests

TEXT = """
version: 1
upstreams: {{u: http://u}}
routes:
  - name: page
    match: POST /page/{{id}}
    timeout: 2s
    calls:
      user: {{get: "u:/users/${{params.id}}", pass_status: [404], timeout: 1s}}
      more: {{post: "u:/more", body: {{n: $.body.n}}, fallback: none}}
    merge: {{name: $.user.name, more: $.more}}
    tests:
      - name: it
        request: {{path: /page/7, method: POST, json: {{n: 1}}}}
        {test}
  - name: pass
    match: GET /pass
    proxy: u
    tests:
      - name: it
        request: GET /pass?x
        stubs: {{u: {{body: hi, headers: {{X-A: b}}}}}}
        expect: {{body: hi, headers: {{X-A: b}}}}
  - name: fixed
    match: GET /fixed
    reply: {{body: {{a: 1}}}}
    tests: [{{name: it, request: GET /fixed, expect: {{body: {{a: 1}}}}}}]
"""


def failures(tmp_path: Path, test: str) -> list[str]:
    (tmp_path / "routes.yaml").write_text(TEXT.format(test=test))
    loaded = load(str(tmp_path / "routes.yaml"), {})
    assert loaded.plan is not None, [str(problem) for problem in loaded.problems]
    (result,) = run_tests(loaded.plan, "page")
    return result.failures


@pytest.mark.parametrize(
    "test,found",
    [
        (
            "stubs: {user: {json: {name: Ann}}, more: {json: 2}}\n        "
            "expect: {body: {name: Ann, more: 2}, calls: {user: 1}}",
            [],
        ),
        ("stubs: {user: {status: 404}, more: {json: 2}}\n        expect: {status: 404}", []),
        ("stubs: {user: {json: {name: Ann}}, more: {drop: true}}\n        expect: {headers: {x-partial: more}}", []),
        ("stubs: {user: {json: {}, delay: 1h}, more: {json: 1}}\n        expect: {status: 504}", []),
        (
            "stubs: {user: {json: {name: Ann}}, more: {json: 2}}\n        expect: {body: {name: Bob, more: 2}}",
            ['body: $.name: expected "Bob", got "Ann"'],
        ),
        (
            "stubs: {user: {json: {name: Ann}}, more: {json: 2}}\n        "
            "expect: {headers: {x-partial: more, etag: null}, calls: {more: 0}}",
            ["header x-partial: expected 'more', got none", "call more: expected 0 requests, got 1"],
        ),
        ("stubs: {more: {json: 2}}\n        expect: {status: 502}", ["call 'user' was made 1 times and has no stub"]),
    ],
)
def test_a_test_passes_or_says_what_differs(test: str, found: list[str], tmp_path: Path) -> None:
    assert failures(tmp_path, test) == found


def test_a_status_that_differs_comes_with_the_answer(tmp_path: Path) -> None:
    (line,) = failures(tmp_path, "stubs: {user: {status: 500}, more: {json: 2}}")
    assert line.startswith("status: expected 200, got 502 {")
    assert "upstream_status" in line


def test_every_kind_of_route_can_be_tested(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(TEXT.format(test="stubs: {user: {json: {}}, more: {json: 2}}"))
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    assert [(result.route, result.failures) for result in run_tests(plan)] == [
        ("page", []),
        ("pass", []),
        ("fixed", []),
    ]


def test_a_request_for_another_route_fails_its_test(tmp_path: Path) -> None:
    text = TEXT.format(test="{}").replace("        {}\n", "").replace("path: /page/7, method: POST", "path: /fixed")
    (tmp_path / "routes.yaml").write_text(text)
    plan: Any = load(str(tmp_path / "routes.yaml"), {}).plan
    (result,) = run_tests(plan, "page")
    assert result.failures == ["GET /fixed is for route 'fixed'"]


GATED = """
version: 1
auth: {shop: {type: jwt, jwks: "https://idp.example.com/keys", audience: shop}}
routes:
  - name: mine
    match: GET /mine
    auth: shop
    allow: "'buyer' in claims.roles"
    ip: {deny: [192.0.2.0/24]}
    reply: {body: $.claims.sub}
    tests:
      - {name: a buyer, request: {path: /mine, claims: {sub: ann, roles: [buyer]}}, expect: {body: ann}}
      - {name: another, request: {path: /mine, claims: {sub: bob, roles: []}}, expect: {status: 403}}
      - {name: nobody, request: /mine, expect: {status: 401, headers: {WWW-Authenticate: 'Bearer realm="shop"'}}}
      - {name: from there, request: {path: /mine, client: 192.0.2.7, claims: {}}, expect: {status: 403}}
"""


def test_a_test_says_who_asks_and_from_where(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(GATED)
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    assert [result.failures for result in run_tests(plan)] == [[], [], [], []]
