from typing import Any

import pytest

from proxy.policy.freshness import Wishes

HEAD = (
    "version: 1\nupstreams: {u: 'http://u', v: {urls: ['http://v'], forward_headers: [Authorization]}}\n"
    "routes:\n  - name: r\n"
)


def route(text: str, match: str = "GET /r/{id}") -> str:
    return f"{HEAD}    match: {match}\n" + "".join(f"    {line}\n" for line in text.split("\n"))


def test_what_a_route_keeps_is_a_plan(plan_of: Any) -> None:
    text = (
        "proxy: u\ncache: {ttl: 30s, stale_while_revalidate: 1m, stale_if_error: 1h, vary: [X-B, x-a], query: [p], "
        "tags: ['p-${params.id}', all], max_object: 2KiB, lock_timeout: 1s, status_header: true}"
    )
    plan = plan_of(route(text)).routes[0].cache
    assert plan.wishes == Wishes(
        ttl_s=30.0,
        stale_while_revalidate_s=60.0,
        stale_if_error_s=3600.0,
        credentials=frozenset({"authorization", "cookie"}),
    )
    assert (plan.keyed, plan.query, plan.roots) == (("x-a", "x-b"), {"p"}, {"params"})
    assert (plan.max_object, plan.lock_s, plan.status_header, len(plan.tags)) == (2048, 1.0, True, 2)


def test_nothing_said_means_what_the_answers_say(plan_of: Any) -> None:
    plan = plan_of(route("proxy: u\ncache: {}") + "server: {cache_max_object: 5KiB}\n").routes[0].cache
    assert (plan.wishes, plan.query, plan.keyed, plan.max_object) == (Wishes(), None, (), 5120)
    assert plan_of(route("proxy: u")).routes[0].cache is None


@pytest.mark.parametrize(
    "text,keyed,credentials",
    [
        ("proxy: {to: u, headers: {request: {remove: [Cookie]}}}", (), {"authorization"}),
        ("proxy: {to: u, headers: {request: {set: {Authorization: x}}}}", (), {"cookie"}),
        ("proxy: {to: u, headers: {request: {set: {X: $.cookies.a}}}}", ("cookie",), {"authorization"}),
        ("proxy: {to: u, headers: {response: {set: {X: $.headers.x-t}}}}", ("x-t",), {"authorization", "cookie"}),
        ("calls: {a: {get: 'u:/a', query: {t: $.headers.x-t}}}\nmerge: $.a", ("x-t",), set()),
        ("calls: {a: {get: 'v:/a'}}\nmerge: $.a", ("authorization",), set()),
    ],
)
def test_what_an_answer_depends_on_without_saying_so_is_in_its_key(
    text: str, keyed: tuple[str, ...], credentials: set[str], plan_of: Any
) -> None:
    plan = plan_of(route(f"{text}\ncache: {{ttl: 1s}}")).routes[0].cache
    assert (plan.keyed, plan.wishes.credentials) == (keyed, credentials)


def test_routes_that_answer_otherwise_share_nothing_and_notes_beside_them_change_nothing(plan_of: Any) -> None:
    def identity(text: str) -> str:
        return str(plan_of(route(f"{text}\ncache: {{ttl: 1s}}")).routes[0].cache.identity)

    texts = ["proxy: u", "proxy: v", "proxy: {to: u, path: {add_prefix: /x}}", "calls: {a: {get: 'u:/a'}}\nmerge: $.a"]
    assert len({identity(text) for text in texts}) == len(texts)
    assert identity("proxy: u") == identity("proxy: u\nsummary: a\ntimeout: 1s")
    other = route("proxy: u\ncache: {ttl: 1s}").replace("http://u", "http://w")
    assert plan_of(other).routes[0].cache.identity != identity("proxy: u")


@pytest.mark.parametrize(
    "text,code",
    [
        ("reply: {body: 1}\ncache: {}", "conflicting-keys"),
        ("redirect: /x\ncache: {}", "conflicting-keys"),
        ("proxy: u\ncache: {ttl: 0s}", "bad-duration"),
        ("cache: {ttl: 1s}", "no-action"),
        ("proxy: u\ncache: {vary: ['a b']}", "bad-header"),
        ("proxy: u\ncache: {tags: ['${nothing.x}']}", "unknown-root"),
        ("proxy: u\ncache: {tags: ['$.body.x']}", "unknown-root"),
        ("proxy: u\ncache: {ttls: 1s}", "unknown-key"),
        ("proxy: {to: u, headers: {response: {set: {X: $.client.ip}}}}\ncache: {}", "conflicting-keys"),
        ("proxy: {to: u, headers: {request: {set: {X: '$.headers[*]'}}}}\ncache: {}", "plural-path"),
        ("calls: {a: {get: 'u:/a', body: $.headers}}\nmerge: $.a\ncache: {}", "conflicting-keys"),
    ],
)
def test_what_cannot_be_kept_is_a_problem(text: str, code: str, codes_of: Any) -> None:
    assert code in codes_of(route(text))


def test_only_answers_to_get_are_kept(codes_of: Any) -> None:
    assert codes_of(route("proxy: u\ncache: {}", "POST /r")) == ["conflicting-keys"]
    assert codes_of(route("proxy: u\ncache: {}", "/r")) == []


@pytest.mark.parametrize(
    "store,codes",
    [
        ("memory", []),
        ("redis://h:6379/0", []),
        ("rediss://user:secret@h/1", []),
        ("http://h", ["bad-url"]),
        ("redis://", ["bad-url"]),
        ("redis://h:x", ["bad-url"]),
        ("disk", ["bad-url"]),
    ],
)
def test_where_answers_are_kept_is_memory_or_a_redis(store: str, codes: list[str], codes_of: Any) -> None:
    assert codes_of(f"version: 1\nserver: {{cache_store: '{store}'}}\n") == codes
