from typing import Any

import pytest
from msgspec.structs import replace
from multidict import CIMultiDict

from proxy.plan.nodes import RouteCachePlan
from proxy.policy.freshness import Wishes
from proxy.server.cachekey import counted_query, primary_key, purge_tag, target_of, variant_key

PLAN = RouteCachePlan(
    wishes=Wishes(),
    keyed=(),
    query=None,
    tags=(),
    roots=frozenset(),
    max_object=100,
    lock_s=1.0,
    status_header=False,
    identity="i",
)


def test_scheme_host_path_and_query_part_answers(request_of: Any) -> None:
    requests = [
        request_of("/a"),
        request_of("/a?"),
        request_of("/a?x=1"),
        request_of("/A"),
        request_of("/a", scheme="https"),
        request_of("/a", headers={"Host": "other.example"}),
        request_of("/a", headers={"Host": "example.com:8080"}),
    ]
    assert len({primary_key(PLAN, request) for request in requests}) == len(requests)
    assert primary_key(PLAN, request_of("/a")) == primary_key(PLAN, request_of("/a", headers={"Host": "EXAMPLE.com"}))
    assert primary_key(PLAN, request_of("/a")) != primary_key(replace(PLAN, identity="j"), request_of("/a"))


def test_headers_that_are_in_the_key_part_answers_also_when_they_are_not_there(request_of: Any) -> None:
    plan = replace(PLAN, keyed=("a", "b"))
    given: list[dict[str, str]] = [{}, {"A": ""}, {"A": "1"}, {"B": "1"}, {"A": "1", "B": "1"}, {"A": "1,b:1"}]
    keys = {primary_key(plan, request_of("/", headers={"Host": "h", **headers})) for headers in given}
    assert len(keys) == len(given)


def test_lists_are_compared_without_regard_to_how_they_are_written() -> None:
    def key(*pairs: tuple[str, str]) -> str:
        return variant_key("k", ("accept-encoding", "x"), CIMultiDict(pairs))

    assert key(("Accept-Encoding", "gzip, br")) == key(("Accept-Encoding", "BR"), ("accept-encoding", "gzip"))
    assert key(("X", "a, b")) == key(("X", "a"), ("X", "b"))
    assert key(("X", "a, b")) != key(("X", "b, a"))
    assert key(("X", "a")) != key(("X", "A"))


def test_of_a_query_only_what_counts_is_left_as_it_was_written() -> None:
    names = frozenset({"page", "size"})
    assert counted_query("utm=1&size=%31&page=2&page=1&%70age=3&", names) == "size=%31&page=2&page=1"
    assert counted_query("utm=1", names) == ""


def test_the_target_is_path_and_query(request_of: Any) -> None:
    assert [target_of(request_of(target)) for target in ("/a", "/a?", "/a?b=1")] == ["/a", "/a?", "/a?b=1"]


@pytest.mark.parametrize(
    "kind,text,tag",
    [
        ("route", "a", "route:a"),
        ("tag", "a", "tag:a"),
        ("key", "Shop.example/A?x=1", "key:shop.example/A?x=1"),
        ("key", "https://shop.example:8443/", "key:shop.example:8443/"),
    ],
)
def test_what_is_purged_has_a_tag(kind: str, text: str, tag: str) -> None:
    assert purge_tag(kind, text) == tag


@pytest.mark.parametrize("kind,text", [("key", "shop.example"), ("key", "/a"), ("all", "a")])
def test_what_cannot_be_purged_is_said(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"address|route, key or tag"):
        purge_tag(kind, text)
