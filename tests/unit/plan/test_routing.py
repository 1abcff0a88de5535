import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import MethodNotAllowed, RouteNotFound
from proxy.plan.pattern import Literal, Param, parse_pattern
from proxy.plan.routing import Found, MatchRule, Options, Router, conflicts, host_matches


def rule(path: str, methods: str | None = "GET", **conditions: Any) -> MatchRule:
    return MatchRule(frozenset(methods.split(",")) if methods else None, parse_pattern(path), **conditions)


def find(
    rules: list[MatchRule], path: str, method: str = "GET", host: str = "", headers: Any = None, query: str = ""
) -> Any:
    router = Router([(one, index) for index, one in enumerate(rules)])
    return router.find(method, path, host, headers or {}, query)


UUID = "123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize(
    "path,value,params",
    [
        ("/users/me", 0, {}),
        ("/users/7", 1, {"id": 7}),
        ("/users/-7", 1, {"id": -7}),
        (f"/users/{UUID.upper()}", 2, {"id": UUID}),
        ("/users/a%2Fb", 3, {"name": "a/b"}),
        ("/users/7/x", 4, {"rest": "7/x"}),
        ("/users/", 4, {"rest": ""}),
        ("/users/99999999999999999999", 3, {"name": "99999999999999999999"}),
    ],
)
def test_the_most_specific_route_wins(path: str, value: int, params: dict[str, Any]) -> None:
    rules = [rule("/users/me"), rule("/users/{id:int}"), rule("/users/{id:uuid}"), rule("/users/{name}")]
    for order in itertools.permutations([*rules, rule("/users/{rest:path}")]):
        found = find(list(order), path)
        assert order.index([*rules, rule("/users/{rest:path}")][value]) == found.value
        assert found.params == params


@pytest.mark.parametrize("path", ["/", "/user", "/users", "/users/1/2", "/Users/1"])
def test_what_no_route_is_for_is_not_found(path: str) -> None:
    with pytest.raises(RouteNotFound):
        find([rule("/users/{id}")], path)


def test_a_literal_that_leads_nowhere_gives_way_to_a_parameter() -> None:
    assert find([rule("/a/b/c"), rule("/{x}/b/d")], "/a/b/d").params == {"x": "a"}


def test_another_method_is_405_with_all_that_the_path_takes() -> None:
    rules = [rule("/a/{id:int}", "GET"), rule("/a/{id}", "PUT,PATCH")]
    with pytest.raises(MethodNotAllowed) as refused:
        find(rules, "/a/1", "DELETE")
    assert refused.value.headers["Allow"] == "GET, HEAD, OPTIONS, PATCH, PUT"
    assert find(rules, "/a/1", "PUT").value == 1


def test_head_is_served_where_get_is_unless_a_route_names_it() -> None:
    assert find([rule("/a")], "/a", "HEAD").value == 0
    assert find([rule("/a"), rule("/a", "HEAD")], "/a", "HEAD").value == 1


def test_options_without_a_route_tells_what_the_path_takes() -> None:
    assert find([rule("/a", "POST")], "/a", "OPTIONS") == Options(("OPTIONS", "POST"))
    assert find([rule("/a", "OPTIONS")], "/a", "OPTIONS") == Found(0, {})


def test_a_route_for_every_method_steps_back_where_one_is_named() -> None:
    rules = [rule("/a", None, headers=()), rule("/a", "GET", headers=(("x", "1"),))]
    assert find(rules, "/a", headers={"x": "1"}).value == 1
    assert find(rules, "/a", "PURGE").value == 0


def test_the_more_specific_host_wins() -> None:
    rules = [rule("/"), rule("/", host="*.example.com"), rule("/", host="a.example.com")]
    assert [find(rules, "/", host=host).value for host in ("b.org", "b.example.com", "a.example.com")] == [0, 1, 2]


@pytest.mark.parametrize(
    "host,holds", [("a.b.c", True), ("b.c", False), ("xb.c", False), (".b.c", False), ("a.b.c.d", False)]
)
def test_a_wildcard_host_is_below_its_domain(host: str, holds: bool) -> None:
    assert host_matches("*.b.c", host) is holds


def test_more_conditions_win_and_all_must_hold() -> None:
    rules = [rule("/"), rule("/", headers=(("x", "1"),)), rule("/", headers=(("x", "1"),), query=(("v", "2"),))]
    assert find(rules, "/").value == 0
    assert find(rules, "/", headers={"x": "1"}).value == 1
    assert find(rules, "/", headers={"x": "1"}, query="a=b&v=2").value == 2


def test_the_same_requests_for_two_routes_is_a_conflict() -> None:
    def kinds(*rules: MatchRule) -> list[tuple[int, int]]:
        return [(found.i, found.j) for found in conflicts([(one, None) for one in rules])]

    assert kinds(rule("/a/{x}"), rule("/a/{y}")) == [(0, 1)]
    assert kinds(rule("/a", "GET,POST"), rule("/a", "POST")) == [(0, 1)]
    assert kinds(rule("/a"), rule("/a", "POST")) == []
    assert kinds(rule("/a"), rule("/a", host="x")) == []
    assert kinds(rule("/a", headers=(("x", "1"),)), rule("/a", headers=(("x", "2"),))) == []
    assert kinds(rule("/a", headers=(("x", "1"),)), rule("/a", query=(("x", "1"),))) == [(0, 1)]
    assert kinds(rule("/a", None), rule("/a", None)) == [(0, 1)]
    assert kinds(rule("/a", None), rule("/a", "GET")) == []


PIECES = st.sampled_from(["a", "b", "7", "{x:int}", "{y}", UUID, "{u:uuid}"])
PATTERNS = st.lists(PIECES, min_size=1, max_size=3, unique=True).map(lambda pieces: "/" + "/".join(pieces))
PATHS = st.lists(st.sampled_from(["a", "b", "7", "c", UUID, "12"]), min_size=1, max_size=3).map(
    lambda pieces: "/" + "/".join(pieces)
)


def naive(rules: list[MatchRule], path: str) -> MatchRule | None:
    """Try every route; the best is the one whose segments are the most specific, from the left."""
    ranks = {"int": 1, "uuid": 2, "str": 3, "path": 4}
    best: tuple[list[int], MatchRule] | None = None
    for one in rules:
        parts = path[1:].split("/")
        if len(parts) != len(one.pattern.segments):
            continue
        rank = []
        for part, segment in zip(parts, one.pattern.segments, strict=True):
            if isinstance(segment, Literal):
                holds, value = part == segment.text, 0
            else:
                holds = {"int": part.isdigit(), "uuid": part == UUID, "str": True}[segment.kind]
                value = ranks[segment.kind]
            if not holds:
                break
            rank.append(value)
        else:
            if best is None or rank < best[0]:
                best = (rank, one)
    return best[1] if best else None


@given(st.lists(PATTERNS, max_size=8, unique_by=lambda text: text), PATHS)
def test_the_trie_finds_what_trying_every_route_finds(patterns: list[str], path: str) -> None:
    rules = [rule(pattern) for pattern in patterns]
    rules = [one for at, one in enumerate(rules) if all(shape(one) != shape(other) for other in rules[:at])]
    wanted = naive(rules, path)
    if wanted is None:
        with pytest.raises(RouteNotFound):
            find(rules, path)
    else:
        assert rules[find(rules, path).value] == wanted


def shape(one: MatchRule) -> list[object]:
    return [part.kind if isinstance(part, Param) else part for part in one.pattern.segments]
