from typing import Any

import pytest

from proxy.cache.store import Stored
from proxy.policy.freshness import Terms
from proxy.server.asking import in_background, is_passed_by, is_steered, lane_of, on_behalf_of_all

TERMS = Terms(age_s=0.0, fresh_s=1.0)
MODIFIED = "Mon, 23 Nov 2020 10:00:00 GMT"


@pytest.mark.parametrize(
    "headers,passes",
    [
        ({}, False),
        ({"Content-Length": "0"}, False),
        ({"Content-Length": "1"}, True),
        ({"Transfer-Encoding": "chunked"}, True),
        ({"Range": "bytes=0-1"}, True),
        ({"If-Match": "*"}, True),
        ({"Upgrade": "websocket"}, True),
        ({"If-None-Match": "*"}, False),
    ],
)
def test_parts_bodies_and_other_protocols_pass_by(headers: dict[str, str], passes: bool, request_of: Any) -> None:
    assert is_passed_by(request_of("/", headers=headers)) is passes


def test_those_whose_answers_may_differ_in_who_may_have_them_do_not_wait_for_each_other(request_of: Any) -> None:
    given: list[dict[str, str]] = [{}, {"Authorization": "a"}, {"Cookie": "a=1"}, {"X-HTTP-Method-Override": "PUT"}]
    lanes = [lane_of("k", request_of("/", headers=headers)) for headers in given]
    assert len(set(lanes)) == 4
    assert lane_of("k", request_of("/", headers={"Accept": "x"})) == lanes[0]
    assert is_steered(request_of("/", headers=given[3]))


def test_what_is_asked_for_all_has_the_conditions_of_what_is_here_and_none_of_the_client(request_of: Any) -> None:
    request = request_of("/", headers={"If-None-Match": '"x"', "If-Modified-Since": MODIFIED, "Accept": "a"})
    assert list(on_behalf_of_all(request, None).headers) == ["Accept"]
    bare = Stored(200, [], b"", TERMS, 0.0)
    assert list(on_behalf_of_all(request, bare).headers) == ["Accept"]
    stored = Stored(200, [("Etag", '"a"'), ("last-modified", MODIFIED)], b"", TERMS, 0.0)
    assert dict(on_behalf_of_all(request, stored).headers) == {
        "Accept": "a",
        "If-None-Match": '"a"',
        "If-Modified-Since": MODIFIED,
    }


def test_a_request_without_conditions_is_sent_as_it_is(request_of: Any) -> None:
    request = request_of("/")
    assert on_behalf_of_all(request, None) is request


async def test_a_renewal_is_a_get_without_a_body_and_of_nobodys_connection(request_of: Any) -> None:
    request = request_of("/", body=b"x", method="HEAD", received_at=0.0, inform=lambda status, headers: None)
    again = in_background(request)
    assert (again.method, await again.read_body(10), again.inform, again.open_body) == ("GET", b"", None, None)
    assert again.received_at > 0
    assert again.calls is not request.calls
