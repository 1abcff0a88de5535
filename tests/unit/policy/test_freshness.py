import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from proxy.policy.directives import Asked
from proxy.policy.freshness import (
    Terms,
    Use,
    Wishes,
    age_at,
    asked_by,
    freshened,
    judge,
    not_modified_since,
    parse_date,
    serves_errors,
    terms_of,
    vary_of,
)

CAME = 1_000_000.0
AT = "Mon, 12 Jan 1970 13:46:40 GMT"  # what CAME is
LATER = "Mon, 12 Jan 1970 13:47:40 GMT"  # a minute after


def terms(
    headers: dict[str, str], request: dict[str, str] | None = None, status: int = 200, **wishes: object
) -> Terms | None:
    fields, asked = CIMultiDict(headers), CIMultiDict(request or {})
    return terms_of(status, fields, asked, Wishes(**wishes), asked_at=CAME, came_at=CAME)  # type: ignore[arg-type]


def fresh_s(control: str, **more: str) -> float | None:
    found = terms({"Cache-Control": control, **more})
    return None if found is None else found.fresh_s


@pytest.mark.parametrize(
    "control,seconds",
    [
        ("max-age=60", 60),
        ("max-age=60, s-maxage=5", 5),
        ("max-age=0, s-maxage=5", 5),
        ("public", None),
        ("", None),
        ("no-store, max-age=60", None),
        ("private, max-age=60", None),
        ('private="x-user", max-age=60', None),
        ("max-age=60, no-cache", None),  # and there is no validator to ask with
        ("max-age=x", None),
        ("max-age=999999999999", 2**31),
    ],
)
def test_a_lifetime_is_what_the_answer_states_for_shared_caches(control: str, seconds: int | None) -> None:
    assert fresh_s(control) == seconds


@pytest.mark.parametrize(
    "headers,seconds",
    [
        ({"Expires": LATER}, 60),
        ({"Expires": LATER, "Date": AT}, 60),
        ({"Expires": LATER, "Date": LATER}, None),
        ({"Expires": "0"}, None),
        ({"Expires": "soon"}, None),
        ({"Expires": LATER, "Cache-Control": "max-age=5"}, 5),
        ({"Last-Modified": AT}, None),  # nothing is guessed (§4.2.2)
    ],
)
def test_expires_counts_where_cache_control_says_nothing(headers: dict[str, str], seconds: int | None) -> None:
    found = terms(headers)
    assert (None if found is None else found.fresh_s) == seconds


def test_a_ttl_is_for_answers_that_say_nothing_and_otherwise_a_bound() -> None:
    assert terms({}, ttl_s=30.0) == Terms(age_s=0.0, fresh_s=30.0)
    assert [
        None if (found := terms({"Cache-Control": control}, ttl_s=30.0)) is None else found.fresh_s
        for control in ("max-age=5", "max-age=500", "private", "no-store", "public")
    ] == [5, 30, None, None, 30]


def test_a_ttl_counts_from_here_whatever_the_date_and_age_say() -> None:
    found = terms({"Age": "100"}, ttl_s=30.0)
    assert found == Terms(age_s=100.0, fresh_s=130.0)
    assert judge(found, CAME, CAME + 29) is Use.FRESH
    found = terms({"Age": "50", "Cache-Control": "max-age=60"}, ttl_s=30.0)
    assert found == Terms(age_s=50.0, fresh_s=60.0)


@pytest.mark.parametrize("status", [206, 304, 500, 503, 101])
def test_parts_server_errors_and_interim_answers_are_never_stored(status: int) -> None:
    assert terms({"Cache-Control": "public, max-age=60"}, status=status, ttl_s=60.0) is None


def test_an_error_is_stored_only_if_it_says_for_how_long_itself() -> None:
    assert terms({}, status=404, ttl_s=60.0) is None
    assert terms({"Cache-Control": "max-age=5"}, status=404, ttl_s=60.0) == Terms(age_s=0.0, fresh_s=5.0)


@pytest.mark.parametrize("header", [{"Set-Cookie": "a=1"}, {"Vary": "Accept, *"}])
def test_what_is_for_one_client_is_never_stored(header: dict[str, str]) -> None:
    assert terms({"Cache-Control": "public, max-age=60", **header}) is None


@pytest.mark.parametrize(
    "control,stored",
    [
        ("max-age=60", False),
        ("max-age=60, proxy-revalidate", False),
        ("max-age=60, public", True),
        ("max-age=60, must-revalidate", True),
        ("s-maxage=60", True),
    ],
)
def test_the_answer_to_an_authorized_request_is_shared_only_if_it_says_so(control: str, stored: bool) -> None:
    headers, request = {"Cache-Control": control}, {"Authorization": "Bearer a"}
    assert (terms(headers, request) is not None) is stored
    assert (terms(headers, request, ttl_s=5.0) is not None) is stored
    assert terms(headers, request, credentials=frozenset()) is not None


def test_a_ttl_alone_does_not_share_the_answer_to_a_request_with_a_cookie() -> None:
    request = {"Cookie": "sid=1"}
    assert terms({}, request, ttl_s=60.0) is None
    assert terms({"Cache-Control": "public"}, request, ttl_s=60.0) is not None
    assert terms({"Cache-Control": "max-age=60"}, request) is not None
    assert terms({}, request, ttl_s=60.0, credentials=frozenset()) is not None


def test_the_age_counts_what_other_caches_and_the_way_took() -> None:
    headers = CIMultiDict({"Cache-Control": "max-age=60", "Age": "10", "Date": AT})
    found = terms_of(200, headers, CIMultiDict(), Wishes(), asked_at=CAME + 5, came_at=CAME + 7)
    assert found is not None
    assert found.age_s == 12  # 10 it said, 2 it took; by its Date only 7
    assert age_at(found, CAME + 7, CAME + 17) == 22
    assert age_at(found, CAME + 7, CAME) == 12  # the clock was set back
    found = terms_of(200, headers, CIMultiDict(), Wishes(), asked_at=CAME + 50, came_at=CAME + 50)
    assert found is not None
    assert found.age_s == 50


def test_an_answer_that_is_old_when_it_comes_is_of_use_only_with_a_validator_or_a_window() -> None:
    old = {"Cache-Control": "max-age=60", "Age": "90"}
    assert terms(old) is None
    assert terms({**old, "ETag": '"a"'}) is not None
    assert terms(old, stale_if_error_s=60.0) is not None


def test_what_an_answer_is_good_for_goes_down_with_its_age() -> None:
    kept = Terms(age_s=0.0, fresh_s=10.0, stale_while_revalidate_s=5.0, stale_if_error_s=20.0)
    uses = [judge(kept, CAME, CAME + age) for age in (0, 9.9, 10, 14.9, 15)]
    assert uses == [Use.FRESH, Use.FRESH, Use.WHILE_REVALIDATING, Use.WHILE_REVALIDATING, Use.STALE]
    assert [serves_errors(kept, CAME, CAME + age) for age in (5, 29.9, 30)] == [True, True, False]


def test_a_client_may_ask_for_something_younger() -> None:
    kept = Terms(age_s=5.0, fresh_s=60.0, stale_while_revalidate_s=60.0)
    asked = [Asked(no_cache=True), Asked(max_age=4), Asked(max_age=5), Asked(min_fresh=55), Asked(min_fresh=54)]
    assert [judge(kept, CAME, CAME, one) for one in asked] == [Use.STALE, Use.STALE, Use.FRESH, Use.STALE, Use.FRESH]


@pytest.mark.parametrize("control", ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"])
def test_an_answer_may_forbid_that_it_is_served_stale(control: str) -> None:
    headers = {"Cache-Control": f"max-age=60, stale-if-error=60, {control}", "ETag": '"a"'}
    found = terms(headers, stale_while_revalidate_s=60.0, stale_if_error_s=60.0)
    assert found is not None
    assert (found.strict, found.stale_while_revalidate_s, found.stale_if_error_s) == (True, 0, 0)
    assert judge(found, CAME, CAME + 61) is Use.STALE
    assert not serves_errors(found, CAME, CAME + 61)


def test_the_operators_windows_go_before_the_answers_own() -> None:
    headers = {"Cache-Control": "max-age=60, stale-while-revalidate=7, stale-if-error=8"}
    found = terms(headers)
    assert found is not None
    assert (found.stale_while_revalidate_s, found.stale_if_error_s, found.lives_s) == (7, 8, 68)
    found = terms(headers, stale_while_revalidate_s=0.0, stale_if_error_s=100.0)
    assert found is not None
    assert (found.stale_while_revalidate_s, found.stale_if_error_s) == (0, 100)


@pytest.mark.parametrize(
    "headers,asked",
    [
        ({}, Asked()),
        ({"Cache-Control": "max-age=0"}, Asked(max_age=0)),
        ({"Pragma": "No-Cache"}, Asked(no_cache=True)),
        ({"Pragma": "no-cache", "Cache-Control": "max-age=5"}, Asked(max_age=5)),
    ],
)
def test_what_a_request_asks_is_in_its_cache_control(headers: dict[str, str], asked: Asked) -> None:
    assert asked_by(CIMultiDict(headers)) == asked


def test_vary_is_a_set_of_names() -> None:
    assert vary_of(CIMultiDict([("Vary", "B, a,"), ("Vary", "A")])) == ("a", "b")
    assert vary_of(CIMultiDict()) == ()


def test_a_client_that_has_the_last_version_is_known_by_its_date() -> None:
    stands = CIMultiDict({"Last-Modified": AT})
    assert not_modified_since(CIMultiDict({"If-Modified-Since": AT}), stands)
    assert not_modified_since(CIMultiDict({"If-Modified-Since": LATER}), stands)
    assert not not_modified_since(CIMultiDict({"If-Modified-Since": AT}), CIMultiDict({"Last-Modified": LATER}))
    assert not not_modified_since(CIMultiDict({"If-Modified-Since": "x"}), stands)
    assert not not_modified_since(CIMultiDict({"If-Modified-Since": AT, "If-None-Match": '"a"'}), stands)


@pytest.mark.parametrize("text", ["", "x", "0", "Mon, 99 Jan 1970 13:46:40 GMT", "Mon, 12 Jan 99999999 13:46:40 GMT"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None
    assert parse_date(AT) == CAME


def test_a_304_brings_new_fields_and_leaves_those_of_the_body() -> None:
    stored = [("ETag", '"a"'), ("X-A", "1"), ("X-A", "2"), ("Content-Length", "5"), ("Content-Type", "text/plain")]
    assert freshened([("Age", "50"), ("X", "1")], CIMultiDict()) == [("X", "1")]
    update = CIMultiDict({"x-a": "3", "Content-Length": "0", "Age": "1"})
    assert freshened(stored, update) == [
        ("ETag", '"a"'),
        ("Content-Length", "5"),
        ("Content-Type", "text/plain"),
        ("x-a", "3"),
        ("Age", "1"),
    ]


_WORDS = st.sampled_from(
    ["no-store", "private", "no-cache", "public", "must-revalidate", "max-age=60", "s-maxage=60", "max-age=0", "x"]
)
_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Cache-Control": st.lists(_WORDS, max_size=4).map(", ".join),
        "Set-Cookie": st.just("a=1"),
        "Vary": st.sampled_from(["*", "Accept", ""]),
        "Expires": st.sampled_from([AT, LATER, "0", "x"]),
        "Date": st.sampled_from([AT, LATER, "x"]),
        "Age": st.sampled_from(["0", "5", "x", "99999999999"]),
        "ETag": st.just('"a"'),
    },
)
_REQUESTS = st.fixed_dictionaries({}, optional={"Authorization": st.just("x"), "Cookie": st.just("a=1")})


@given(_HEADERS, _REQUESTS, st.sampled_from([None, 0.0, 60.0]), st.integers(100, 599))
def test_whatever_the_headers_what_is_one_users_own_is_never_stored(
    headers: dict[str, str], request: dict[str, str], ttl_s: float | None, status: int
) -> None:
    if terms(headers, request, status, ttl_s=ttl_s, stale_if_error_s=60.0) is None:
        return
    words = {word.strip() for word in headers.get("Cache-Control", "").split(",")}
    assert not words & {"no-store", "private"}
    assert "Set-Cookie" not in headers
    assert headers.get("Vary") != "*"
    assert status < 500
    if "Authorization" in request:
        assert words & {"public", "must-revalidate", "s-maxage=60"}
    if "Cookie" in request:
        assert words & {"public", "s-maxage=60", "max-age=60", "max-age=0"} or "Expires" in headers
