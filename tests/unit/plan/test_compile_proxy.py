from typing import Any

import pytest

HEAD = "version: 1\nupstreams: {u: http://u, v: http://v}\n"


def proxy(plan_of: Any, text: str) -> Any:
    return plan_of(HEAD + f"routes: [{{name: a, match: '/{{rest:path}}', proxy: {{to: u, {text}}}}}]").routes[0].action


def test_nothing_is_rewritten_unless_said(plan_of: Any) -> None:
    plan = proxy(plan_of, "")
    assert (plan.redirects, plan.cookies) == (False, None)


def test_cookies_rewrite_is_short_for_both(plan_of: Any) -> None:
    plan = proxy(plan_of, "redirects: rewrite, cookies: rewrite")
    assert plan.redirects
    assert (plan.cookies.restore_paths, plan.cookies.remove_domain) == (True, True)


def test_prefixes_of_cookies_are_tried_longest_first(plan_of: Any) -> None:
    text = "cookies: {path: {/a: /x, /a/b/: /y/}, domain: {.Internal: null, b.internal: b.example}, same_site: lax}"
    cookies = proxy(plan_of, text).cookies
    assert cookies.paths == (("/a/b", "/y"), ("/a", "/x"))
    assert cookies.domains == (("internal", None), ("b.internal", "b.example"))
    assert cookies.same_site == "Lax"


@pytest.mark.parametrize(
    "text,codes",
    [
        ("redirects: follow", ["wrong-type"]),
        ("cookies: {path: /v1}", ["wrong-type"]),
        ("cookies: {path: {v1: /a}}", ["bad-url"]),
        ("cookies: {path: {/v1: a}}", ["bad-url"]),
        ("cookies: {domain: all}", ["wrong-type"]),
        ("cookies: {domain: {'a b': null}}", ["bad-host"]),
        ("cookies: {domain: {a: 'b;c'}}", ["bad-host"]),
        ("cookies: {same_site: Lax}", ["wrong-type"]),
        ("cookies: {http: true}", ["unknown-key"]),
    ],
)
def test_what_cannot_be_meant_is_a_problem(text: str, codes: list[str], codes_of: Any) -> None:
    assert codes_of(HEAD + f"routes: [{{name: a, match: '/{{rest:path}}', proxy: {{to: u, {text}}}}}]") == codes


def test_a_mirror_may_be_a_name_alone(plan_of: Any) -> None:
    mirror = proxy(plan_of, "mirror: v").mirror
    assert (mirror.upstream, mirror.share, mirror.timeout_s, mirror.max_body) == ("v", 1.0, 2.0, 65536)


@pytest.mark.parametrize(
    "text,codes",
    [
        ("mirror: w", ["unknown-upstream"]),
        ("mirror: {to: v, share: 101%}", ["bad-share"]),
        ("mirror: {to: v, share: 0.1}", ["bad-share"]),
        ("mirror: {to: v, max_body: 2MiB}", ["bad-size"]),
        ("mirror: {share: 10%}", ["missing-key"]),
    ],
)
def test_a_mirror_that_cannot_be_is_a_problem(text: str, codes: list[str], codes_of: Any) -> None:
    assert codes_of(HEAD + f"routes: [{{name: a, match: '/{{rest:path}}', proxy: {{to: u, {text}}}}}]") == codes
