import itertools
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import GatewayError, MethodNotAllowed, RouteNotFound
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


@pytest.mark.parametrize("first,second", [(None, "GET"), ("GET", None)])
def test_the_order_of_the_file_does_not_decide_between_every_method_and_a_named_one(
    first: str | None, second: str | None
) -> None:
    rules = [rule("/a", first), rule("/a", second)]
    assert rules[find(rules, "/a").value].methods == {"GET"}
    assert rules[find(rules, "/a", "HEAD").value].methods == {"GET"}


def test_head_goes_where_get_goes_and_not_to_a_less_specific_route_for_every_method() -> None:
    assert find([rule("/{rest:path}", None), rule("/a")], "/a", "HEAD").value == 1


@pytest.mark.parametrize("query,value", [("x=1&x=2", 0), ("x=2&x=1", 1)])
def test_the_first_value_of_a_query_name_is_the_one_that_matches(query: str, value: int) -> None:
    assert find([rule("/", query=(("x", "1"),)), rule("/", query=(("x", "2"),))], "/", query=query).value == value


def test_a_conflict_is_found_among_many_routes_of_one_path() -> None:
    rules = [rule("/a", headers=(("x", str(number)),)) for number in [*range(101), 100]]
    assert [(found.i, found.j) for found in conflicts([(one, None) for one in rules])] == [(100, 101)]


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


Asked = tuple[str, str, str, dict[str, str], str]
PIECES = st.sampled_from(["a", "7", UUID, "{p}", "{p:int}", "{p:uuid}"])
METHODS = st.sampled_from(["GET", "GET", "POST", "GET,POST", None])
HOSTS = st.sampled_from([None, None, "a.x.org", "*.x.org", "*.org"])
HEADERS = st.sampled_from([(), (), (("h", "1"),), (("h", "1"), ("i", "1"))])
QUERIES = st.sampled_from([(), (), (("q", "1"),)])


@st.composite
def patterns(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(PIECES, min_size=1, max_size=2))
    named = [piece.replace("p", f"p{at}", 1) for at, piece in enumerate(pieces)]
    return "/" + "/".join([*named, *draw(st.sampled_from([[], [], [""], ["{rest:path}"]]))])


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[MatchRule], Asked]:
    """Rules of few shapes without conflicts, so that most of them meet, and a request that is made for one of them."""
    shapes = draw(st.lists(patterns(), min_size=1, max_size=4))
    entries = [
        rule(shape, draw(METHODS), host=draw(HOSTS), headers=draw(HEADERS), query=draw(QUERIES))
        for shape in draw(st.lists(st.sampled_from(shapes), min_size=2, max_size=10))
    ]
    later = {conflict.j for conflict in conflicts([(one, None) for one in entries])}
    path = draw(st.sampled_from(shapes))
    for hole in re.findall(r"\{[^}]*\}", path):
        values = ["", "a", "a/7"] if "path" in hole else ["a", "7", UUID, ""]
        path = path.replace(hole, draw(st.sampled_from(values)))
    asked = (
        draw(st.sampled_from(["GET", "GET", "GET", "POST", "PUT", "OPTIONS"])),
        path,
        draw(st.sampled_from(["a.x.org", "a.x.org", "b.x.org", "b.org", "c"])),
        draw(st.sampled_from([{"h": "1", "i": "1"}, {"h": "1", "i": "2"}, {"i": "1"}])),
        draw(st.sampled_from(["q=1", "x=1&q=1", "q=2", ""])),
    )
    return [one for at, one in enumerate(entries) if at not in later], asked


def specificity(one: MatchRule, path: str) -> list[int] | None:
    """Per segment 0 for a literal to 3 for the rest, None if the path does not match."""
    parts = path[1:].split("/")
    ranks: list[int] = []
    for at, segment in enumerate(one.pattern.segments):
        if at >= len(parts):
            return None
        match segment:
            case Param(kind="path"):
                return [*ranks, 3]
            case Literal(text):
                holds, rank = parts[at] == text, 0
            case Param(kind="int"):
                holds, rank = parts[at] == "7", 1
            case Param(kind="uuid"):
                holds, rank = parts[at] == UUID, 1
            case Param():
                holds, rank = parts[at] != "", 2
        if not holds:
            return None
        ranks.append(rank)
    return ranks if len(ranks) == len(parts) else None


def naive(entries: list[MatchRule], asked: Asked) -> object:
    """What trying every rule one by one gives: a rule, the methods of a 405 or 204, or nothing."""
    method, path, host, headers, query = asked
    matching = [
        (ranks, one)
        for one in entries
        if (ranks := specificity(one, path)) is not None
        and (one.host is None or host_matches(one.host, host))
        and all(headers.get(name) == value for name, value in one.headers)
        and all(f"{name}={value}" in query.split("&") for name, value in one.query)
    ]
    serving = [
        (ranks, [-part for part in one.rank], one) for ranks, one in matching if method in (one.methods or {method})
    ]
    if serving:
        return min(serving, key=lambda entry: entry[:2])[2]
    return {name for _, one in matching for name in one.methods or ()} or None


def outcome(entries: list[MatchRule], asked: Asked) -> object:
    try:
        found = Router([(one, one) for one in entries]).find(*asked)
    except RouteNotFound:
        return None
    except MethodNotAllowed as refused:
        return set(refused.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"}
    return set(found.allow) - {"HEAD", "OPTIONS"} if isinstance(found, Options) else found.value


@settings(max_examples=500, deadline=None)
@given(cases())
def test_the_trie_finds_what_trying_every_rule_finds(case: tuple[list[MatchRule], Asked]) -> None:
    entries, asked = case
    assert outcome(entries, asked) == naive(entries, asked)


@settings(max_examples=500, deadline=None)
@given(cases().flatmap(lambda case: st.tuples(st.just(case), st.permutations(case[0]))))
def test_the_order_of_the_file_never_matters(given: tuple[tuple[list[MatchRule], Asked], list[MatchRule]]) -> None:
    (entries, asked), other_order = given
    assert outcome(other_order, asked) == outcome(entries, asked)


@pytest.mark.parametrize("path", ["/api", "/apiary", "/"])
def test_the_rest_needs_the_slash_before_it(path: str) -> None:
    router = Router([(MatchRule(None, parse_pattern("/api/{rest:path}")), "x")])
    with pytest.raises(GatewayError):
        router.find("GET", path, "", {}, "")


def test_the_rest_is_decoded() -> None:
    router = Router([(MatchRule(None, parse_pattern("/api/{rest:path}")), "x")])
    found = router.find("GET", "/api/a%20b/c", "", {}, "")
    assert not isinstance(found, Options)
    assert found.params == {"rest": "a b/c"}


def test_a_segment_is_never_empty() -> None:
    router = Router([(MatchRule(None, parse_pattern("/users/{id}")), "x")])
    with pytest.raises(RouteNotFound):
        router.find("GET", "/users/", "", {}, "")
