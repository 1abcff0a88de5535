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


def split(text: str) -> str:
    return f"{HEAD}routes: [{{name: a, match: '/{{rest:path}}', proxy: {text}}}]"


def test_a_split_has_its_variants_in_the_order_of_the_file(plan_of: Any) -> None:
    text = "{split: {to: {v: 10, u: 90}, sticky: $.cookies.sid ?? $.client.ip}}"
    plan = plan_of(split(text)).routes[0].action
    assert (plan.upstream, plan.variants, plan.split.roots) == ("v", ("v", "u"), {"cookies", "client"})


@pytest.mark.parametrize(
    "text,code",
    [
        ("{to: u, split: {to: {v: 1}}}", "conflicting-keys"),
        ("{path: {}}", "missing-key"),
        ("{split: {}}", "missing-key"),
        ("{split: {to: {}}}", "wrong-type"),
        ("{split: {to: {u: 1, w: 1}}}", "unknown-upstream"),
        ("{split: {to: {u: 0, v: 0}}}", "bad-weight"),
        ("{split: {to: {u: -1, v: 1}}}", "wrong-type"),
        ("{split: {to: {u: 1}, sticky: $.body.x}}", "unknown-root"),
        ("{split: {to: {u: 1}, sticky: sid}}", "bad-expression"),
        ("{split: {to: {u: 1}, sticky: '$.query_all.a[*]'}}", "plural-path"),
        ("{split: {to: {u: 1}, override: {header: X-A, values: {a: v}}}}", "unknown-upstream"),
        ("{split: {to: {u: 1}, override: {header: 'X A', values: {a: u}}}}", "bad-header"),
    ],
)
def test_a_split_that_cannot_be_is_a_problem(text: str, code: str, codes_of: Any) -> None:
    assert codes_of(split(text)) == [code]
