import pytest

from proxy.plan.cors import CorsPlan, parse_origin

APP = "https://app.example.com"


@pytest.mark.parametrize(
    "origin,inside",
    [
        (APP, True),
        ("https://APP.example.com", False),
        ("http://app.example.com", False),
        ("https://app.example.com:443", False),
        ("https://app.example.com.evil.com", False),
        ("https://app.example.com@evil.com", False),
        ("https://evil.com#https://app.example.com", False),
        (" https://app.example.com", False),
        ("https://app.example.com/", False),
        ("null", False),
        ("", False),
        ("*", False),
    ],
)
def test_origins_are_compared_whole(origin: str, inside: bool) -> None:
    assert CorsPlan(origins=frozenset({APP})).lets_in(origin) is inside


@pytest.mark.parametrize(
    "origin,inside",
    [
        ("https://a.example.com", True),
        ("https://a.b.example.com", True),
        ("https://example.com", False),
        ("https://.example.com", False),
        ("https://evil-example.com", False),
        ("https://evilexample.com", False),
        ("http://a.example.com", False),
        ("https://a.example.com:8443", False),
        ("https://a.example.com.evil.com", False),
        ("https://evil.com/.example.com", False),
        ("https://evil.com?.example.com", False),
        ("https://evil.com\\.example.com", False),
        ("https://user@a.example.com", False),
        ("https://evil.com\r\n.example.com", False),
        ("https://evil.com\x00.example.com", False),
        ("https://a.EXAMPLE.com", False),
        ("null", False),
    ],
)
def test_a_star_stands_for_hosts_below_and_nothing_else(origin: str, inside: bool) -> None:
    assert CorsPlan(below=(("https", ".example.com", ""),)).lets_in(origin) is inside


def test_a_port_of_its_own_is_of_the_origin() -> None:
    plan = CorsPlan(below=(("http", ".localhost", ":3000"),))
    assert plan.lets_in("http://a.localhost:3000")
    assert not plan.lets_in("http://a.localhost")


def test_caches_know_that_the_answer_depends_on_the_origin_even_without_one() -> None:
    plan = CorsPlan(origins=frozenset({APP}), credentials=True, expose=("X-A", "X-B"))
    assert plan.answer([APP]) == [
        ("Vary", "Origin"),
        ("Access-Control-Allow-Origin", APP),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", "X-A, X-B"),
    ]
    for origins in ([], ["https://evil.com"], [APP, APP], [APP, "https://evil.com"]):
        assert plan.answer(origins) == [("Vary", "Origin")]


def test_what_everybody_may_read_is_the_same_for_all() -> None:
    assert CorsPlan(anybody=True).answer([]) == [("Access-Control-Allow-Origin", "*")]


def test_a_preflight_is_told_what_may_be_sent() -> None:
    assert CorsPlan(anybody=True, headers=("x-a", "x-b"), max_age_s=60).preflight("PUT") == [
        ("Access-Control-Allow-Methods", "PUT"),
        ("Access-Control-Allow-Headers", "x-a, x-b"),
        ("Access-Control-Max-Age", "60"),
    ]
    limited = CorsPlan(anybody=True, methods=frozenset({"GET", "DELETE"})).preflight("PUT")
    assert limited[0] == ("Access-Control-Allow-Methods", "DELETE, GET")


@pytest.mark.parametrize(
    "text,parts",
    [
        ("https://a.b:8443", ("https", "a.b", ":8443")),
        ("http://[::1]:3000", ("http", "[::1]", ":3000")),
        ("capacitor://localhost", ("capacitor", "localhost", "")),
        ("https://a.b/x", None),
        ("//a.b", None),
    ],
)
def test_an_origin_is_scheme_host_and_port(text: str, parts: object) -> None:
    assert parse_origin(text) == parts
