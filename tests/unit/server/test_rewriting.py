from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from proxy.loading import load
from proxy.plan.paths import PathRule
from proxy.plan.proxying import CookiePlan
from proxy.server.rewriting import References, rewrite_cookie, rewriting

RULE = PathRule("/files", "/v1")


class Upstream:
    """What of an upstream's plan is looked at."""

    def __init__(self, *urls: tuple[str, int, str], host: str = "upstream") -> None:
        class Endpoint:
            def __init__(self, host: str, port: int, base_path: str) -> None:
                self.host, self.port, self.base_path = host, port, base_path

        self.named = tuple(Endpoint(*url) for url in urls or (("up", 8001, ""),))
        self.host = host


def mapped(reference: str, rule: PathRule = RULE, upstream: Any = None, target: str = "/v1/a/b?x=1") -> str:
    return References(upstream or Upstream(), rule.restore).mapped(reference, "shop.example", target)


@pytest.mark.parametrize(
    "reference,expected",
    [
        ("http://up:8001/v1/x?q=1&r=%2F#f", "/files/x?q=1&r=%2F#f"),
        ("http://UP:8001/v1/x", "/files/x"),
        ("https://up/v1/x", "/files/x"),
        ("http://up:80/v1/x", "/files/x"),
        ("http://user:secret@up:8001/v1/x", "/files/x"),
        ("//up:8001/v1/x", "/files/x"),
        ("http://up:8001", "/"),
        ("http://up:8001?q", "/?q"),
        ("http://up:8001/login?to=/v1", "/login?to=/v1"),
        ("http://shop.example/v1/x", "/files/x"),
        ("https://shop.example:443/v1/x", "/files/x"),
        ("/v1/x", "/files/x"),
        ("/v1", "/files"),
        ("/v10/x", "/v10/x"),
        ("/login", "/login"),
        ("c", "/files/a/c"),
        ("../c?d", "/files/c?d"),
        ("./", "/files/a/"),
        ("/v1/../admin", "/admin"),
        ("/v1/%2e%2E/admin", "/admin"),
        ("/v1/x/..", "/files/"),
        ("/../..", "/"),
    ],
)
def test_a_reference_to_the_upstream_is_one_to_the_gateway(reference: str, expected: str) -> None:
    assert mapped(reference) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "https://other.example/v1/x",
        "http://up:9000/v1/x",
        "http://up.example/v1/x",
        "ftp://up:8001/v1/x",
        "mailto:a@up",
        "?page=2",
        "#top",
        "",
    ],
)
def test_a_reference_to_somewhere_else_stays_what_it_is(reference: str) -> None:
    assert mapped(reference) == reference


@pytest.mark.parametrize(
    "reference",
    [
        "http://up:8001//evil.example/x",
        "http://up:8001/\\evil.example",
        "/\\evil.example",
        "/v1//evil.example",
        "/\t/evil.example",
    ],
)
def test_no_reference_becomes_one_to_another_host(reference: str) -> None:
    for rule in (RULE, PathRule(), PathRule("", "/v1")):
        result = mapped(reference, rule)
        assert result.startswith("/")
        assert not result.startswith(("//", "/\\", "/\t"))


@given(st.text(alphabet="htp:/\\.%2eupv1?#@x[] 80", max_size=30), st.sampled_from([RULE, PathRule("/a"), PathRule()]))
def test_what_is_mapped_is_a_path_and_nothing_else_changes(reference: str, rule: PathRule) -> None:
    result = mapped(reference, rule)
    assert result == reference or (result.startswith("/") and not result.startswith(("//", "/\\")))


@given(st.text(alphabet="htp:/\\.%2eupv1?#@x[] ", max_size=30))
def test_the_upstreams_authority_never_leaks(path: str) -> None:
    assert not mapped(f"http://up:8001/{path.strip()}").startswith(("http", "//", "/\\"))


def test_the_paths_of_endpoints_and_a_host_of_ones_own_count_too() -> None:
    plan: Any = type("Plan", (), {"redirects": True, "cookies": None, "restore": staticmethod(RULE.restore)})()
    upstream: Any = Upstream(("10.0.0.1", 80, "/app"), ("10.0.0.2", 80, ""), ("::1", 81, ""), host="app.internal")
    rewrite = rewriting(plan, upstream)
    assert rewrite is not None
    for value in ("http://app.internal/app/v1/x", "http://10.0.0.2/v1/x", "http://[::1]:81/app/v1/x", "x", "../v1/x"):
        headers = CIMultiDict({"Location": value})
        request: Any = type("Request", (), {"host": "shop.example"})()
        rewrite(headers, request, "/v1/a")
        assert headers["Location"] == "/files/x"


def test_a_path_that_is_below_no_endpoint_stays() -> None:
    plan: Any = type("Plan", (), {"redirects": True, "cookies": None, "restore": staticmethod(RULE.restore)})()
    upstream: Any = Upstream(("up", 80, "/app"))
    rewrite = rewriting(plan, upstream)
    assert rewrite is not None
    headers = CIMultiDict({"Location": "http://up/v1/x"})
    rewrite(headers, type("Request", (), {"host": "shop.example"})(), "/v1/a")  # type: ignore[arg-type]
    assert headers["Location"] == "/v1/x"


def test_location_content_location_and_refresh_are_rewritten_and_nothing_else() -> None:
    headers = CIMultiDict(
        [
            ("Location", "/v1/a"),
            ("Content-Location", "http://up:8001/v1/b"),
            ("Refresh", "5; url=http://up:8001/v1/c"),
            ("Refresh", "0;URL='/v1/d'"),
            ("Refresh", "30"),
            ("Refresh", '1, "http://up:8001/v1/f" ;x'),
            ("Refresh", "2; 'http://up:8001/v1/g"),
            ("Link", "</v1/e>"),
        ]
    )
    References(Upstream(), RULE.restore).rewrite(headers, "shop.example", "/v1/")  # type: ignore[arg-type]
    assert sorted(headers.items()) == [
        ("Content-Location", "/files/b"),
        ("Link", "</v1/e>"),
        ("Location", "/files/a"),
        ("Refresh", "0;URL='/files/d'"),
        ("Refresh", '1, "/files/f" ;x'),
        ("Refresh", "2; '/files/g'"),
        ("Refresh", "30"),
        ("Refresh", "5; url=/files/c"),
    ]


def cookie(text: str, **changes: Any) -> str:
    return rewrite_cookie(text, CookiePlan(**changes), RULE.restore)


@pytest.mark.parametrize(
    "text,changes,expected",
    [
        ("a=1; Path=/v1/x; Max-Age=3", {"restore_paths": True}, "a=1; Path=/files/x; Max-Age=3"),
        ("a=1;path=/v1", {"restore_paths": True}, "a=1;path=/files"),
        ("a=1; Path=/", {"restore_paths": True}, "a=1; Path=/"),
        ("a=1; Path", {"restore_paths": True}, "a=1; Path"),
        ("__Host-a=1; Secure; Path=/", {"paths": (("", "/files"),)}, "__Host-a=1; Secure; Path=/"),
        ("a=1; Path=/", {"paths": (("", "/files"),)}, "a=1; Path=/files"),
        ("a=1; Path=/v1/x", {"paths": (("/v1/x", "/y"), ("/v1", ""))}, "a=1; Path=/y"),
        ("a=1; Path=/v1", {"paths": (("/v1", ""),)}, "a=1; Path=/"),
        ("a=1; Path=/v1/", {"paths": (("/v1", "/w"),)}, "a=1; Path=/w/"),
        ("a=1; Path=/other", {"paths": (("/v1", "/w"),)}, "a=1; Path=/other"),
        ("a=1; Domain=.Up; Path=/v1", {"remove_domain": True}, "a=1; Path=/v1"),
        ("a=1; Domain=.Up", {"domains": (("up", "shop.example"),)}, "a=1; Domain=shop.example"),
        ("a=1; Domain=up", {"domains": (("up", None),)}, "a=1"),
        ("a=1; domain= down", {"domains": (("up", None),)}, "a=1; domain= down"),
        ("a=Path=/v1; x", {"restore_paths": True}, "a=Path=/v1; x"),
        ("a=1; secure", {"secure": False}, "a=1"),
        ("a=1; secure; HttpOnly", {"secure": True, "http_only": True}, "a=1; Secure; HttpOnly"),
        ("a=1; httponly", {"http_only": False}, "a=1"),
        ("a=1; SameSite=None", {"same_site": "Lax"}, "a=1; SameSite=Lax"),
    ],
)
def test_a_cookie_is_changed_where_it_was_asked_for(text: str, changes: Any, expected: str) -> None:
    assert cookie(text, **changes) == expected


def test_a_cookie_for_all_of_the_upstream_is_for_all_of_the_prefix() -> None:
    plan = CookiePlan(restore_paths=True)
    assert rewrite_cookie("a=1; Path=/", plan, PathRule("/files").restore) == "a=1; Path=/files"
    assert rewrite_cookie("a=1; Path=/", plan, PathRule().restore) == "a=1; Path=/"


def test_every_cookie_is_changed_and_their_order_kept(tmp_path: Any) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {u: http://u}\n"
        "routes: [{name: a, match: '/{rest:path}', proxy: {to: u, path: {add_prefix: /v1}, cookies: rewrite}}]\n"
    )
    loaded = load(str(tmp_path / "routes.yaml"), {}).plan
    assert loaded is not None
    action: Any = loaded.routes[0].action
    rewrite = rewriting(action, loaded.upstreams["u"])
    assert rewrite is not None
    headers = CIMultiDict([("Set-Cookie", "b=1; Path=/v1/x; Domain=u"), ("Location", "/v1"), ("Set-Cookie", "a=2")])
    rewrite(headers, None, "/v1/")  # type: ignore[arg-type]
    assert headers.getall("Set-Cookie") == ["b=1; Path=/x", "a=2"]
    assert headers["Location"] == "/v1"


def test_without_a_rule_nothing_is_in_the_way() -> None:
    plan: Any = type("Plan", (), {"redirects": False, "cookies": None, "restore": staticmethod(RULE.restore)})()
    upstream: Any = Upstream()
    assert rewriting(plan, upstream) is None
