import pytest
from multidict import CIMultiDict

from proxy.engine.freshness import combine


def headers(text: str) -> CIMultiDict[str]:
    """`public, max-age=60; 7` is an answer with that Cache-Control and an Age of 7; an empty text has neither."""
    control, _, age = text.partition("; ")
    return CIMultiDict({"Cache-Control": control, "Age": age} if age else {"Cache-Control": control} if control else {})


@pytest.mark.parametrize(
    "answers,expected",
    [
        (["public, max-age=60"], "public, max-age=60"),
        (["public, max-age=60", "public, max-age=10"], "public, max-age=10"),
        (["public, max-age=60", "max-age=10"], "max-age=10"),
        (["public, max-age=60", "private, max-age=90"], "private, max-age=60"),
        (["public, max-age=60", "no-store", ""], "no-store"),
        (["max-age=60; 20", "max-age=50"], "max-age=40"),
        (["max-age=60; 100"], "max-age=0"),
        (["max-age=60; 5, 100"], "max-age=55"),
        (["max-age=60; soon"], "max-age=60"),
        (["max-age=60, s-maxage=100; 10", "max-age=90, s-maxage=20"], "max-age=50, s-maxage=20"),
        (["max-age=60", "max-age=90, s-maxage=20"], "max-age=20"),
        (["private, max-age=60", "max-age=90, s-maxage=20"], "private, max-age=60"),
        (["s-maxage=20", "max-age=90, s-maxage=30"], "s-maxage=20"),
        (["max-age=5", "public"], None),
        (["public", "public"], "public"),
        (["max-age=5, must-revalidate", "max-age=6, no-cache"], "no-cache, max-age=5, must-revalidate"),
        (["max-age=oops", "max-age=6"], "max-age=0"),
        (["max-age=60", ""], None),
        (["max-age=60, must-revalidate", " , "], None),
        (["private, max-age=60", ""], "private"),
        (["no-cache", ""], "no-cache"),
        (["", ""], None),
        ([], None),
        (["stale-while-revalidate=5, immutable"], None),
    ],
)
def test_a_restriction_needs_one_answer_and_a_permission_needs_all(answers: list[str], expected: str | None) -> None:
    assert combine(headers(text) for text in answers) == expected


def test_a_call_whose_freshness_no_header_tells_takes_permissions_but_no_restriction() -> None:
    assert combine([headers("public, max-age=60")], complete=False) is None
    assert combine([headers("private, max-age=60")], complete=False) == "private"


def test_an_answer_that_depends_on_the_client_is_private_where_anything_is_known() -> None:
    assert combine([headers("public, max-age=60")], private=True) == "private, max-age=60"
    assert combine([headers("")], private=True) is None


def test_several_fields_are_one_list() -> None:
    assert combine([CIMultiDict([("Cache-Control", "public"), ("Cache-Control", "max-age=5")])]) == "public, max-age=5"
