import pytest

from proxy.policy.directives import Asked, parse_asked, parse_cache_control


@pytest.mark.parametrize(
    "text,max_age",
    [
        ("max-age=60", 60),
        ('max-age="60"', 60),
        ("MAX-AGE=60", 60),
        ("max-age = 60", 60),
        ("max-age=60, max-age=5", 5),
        ("max-age", 0),
        ("max-age=", 0),
        ("max-age=-1", 0),
        ("max-age=1.5", 0),
        ("max-age=ten", 0),
        ("max-age=60;", 0),
        ('max-age="60', 0),
        ("max-age=٣", 0),
        ("max-age=99999999999999999999", 2**31),
        (",, ;;=, max-age=7,", 7),
        ('private="a, max-age=5"', None),
        ("x-max-age=5", None),
    ],
)
def test_a_malformed_lifetime_is_none_at_all(text: str, max_age: int | None) -> None:
    assert parse_cache_control(text).max_age == max_age


def test_directives_are_known_in_any_case_and_with_arguments() -> None:
    found = parse_cache_control('No-Store, PRIVATE="x", no-cache="y", proxy-revalidate, public')
    assert (found.no_store, found.private, found.no_cache, found.must_revalidate, found.public) == (True,) * 5


@pytest.mark.parametrize(
    "text,authorized",
    [
        ("public", True),
        ("s-maxage=5", True),
        ("must-revalidate", True),
        ("proxy-revalidate", False),
        ("max-age=5", False),
    ],
)
def test_some_directives_let_the_answer_to_an_authorized_request_be_shared(text: str, authorized: bool) -> None:
    assert parse_cache_control(text).authorized is authorized


def test_windows_of_staleness_are_seconds() -> None:
    found = parse_cache_control("max-age=1, stale-while-revalidate=30, stale-if-error=x")
    assert (found.stale_while_revalidate, found.stale_if_error) == (30, 0)


def test_what_a_request_asks_of_caches_is_known() -> None:
    assert parse_asked("no-cache, no-store, only-if-cached, max-age=5, min-fresh=7, max-stale") == Asked(
        no_store=True, no_cache=True, only_if_cached=True, max_age=5, min_fresh=7
    )
    assert parse_asked("") == Asked()
