from typing import Any

import pytest


def text(cors: str, route: str = "", defaults: str = "") -> str:
    return (
        "version: 1\n"
        "auth: {keys: {type: api_key, keys: {x: {secret: s}}}, c: {type: jwt, cookie: t, jwks: 'https://i/'}}\n"
        f"defaults: {{route: {{{defaults}}}}}\n"
        f"routes: [{{name: r, match: GET /, {cors}{route} reply: {{}}}}]\n"
    )


def test_origins_are_exact_or_below(plan_of: Any) -> None:
    plan = plan_of(text("cors: ['https://a.b', 'https://*.c.d:8443', 'null'],")).routes[0].cors
    assert plan.origins == {"https://a.b", "null"}
    assert plan.below == (("https", ".c.d", ":8443"),)
    assert not plan.anybody


def test_a_page_may_send_json_and_the_credential_unless_said(plan_of: Any) -> None:
    assert plan_of(text("cors: '*',", "auth: [keys, c],")).routes[0].cors.headers == ("content-type", "x-api-key")
    assert plan_of(text("cors: {origins: '*', headers: [X-A]},", "auth: keys,")).routes[0].cors.headers == ("x-a",)


def test_what_all_routes_have_is_said_once_and_can_be_taken_back(plan_of: Any) -> None:
    everywhere = "cors: 'https://a.b'"
    assert plan_of(text("", defaults=everywhere)).routes[0].cors.origins == {"https://a.b"}
    assert plan_of(text("cors: null,", defaults=everywhere)).routes[0].cors is None
    assert plan_of(text("")).routes[0].cors is None


@pytest.mark.parametrize(
    "cors,hint",
    [
        ("'https://A.b'", "write https://a.b"),
        ("'https://a.b/'", "write https://a.b"),
        ("'https://a.b:443'", "write https://a.b"),
        ("'http://a.b:80'", "write http://a.b"),
        ("a.b", "write https://app.example.com, with a port if it is not the scheme's own"),
        ("'https://a.*.b'", "write https://app.example.com, with a port if it is not the scheme's own"),
        ("'https://user@a.b'", "write https://app.example.com, with a port if it is not the scheme's own"),
        ("{origins: '*', credentials: true}", "list the origins, or leave out credentials"),
        ("{origins: 'null', credentials: true}", "leave it out, or leave out credentials"),
    ],
)
def test_what_no_browser_writes_or_nobody_should_is_a_problem(cors: str, hint: str, problems_of: Any) -> None:
    found = problems_of(text(f"cors: {cors},"))
    assert [(problem.code, problem.hint) for problem in found] == [("bad-origin", hint)]


def test_names_are_names(codes_of: Any) -> None:
    assert codes_of(text("cors: {origins: '*', headers: ['a b'], expose: ['*'], methods: ['']},")) == ["bad-header"] * 2
