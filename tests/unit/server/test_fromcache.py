from typing import Any

import pytest

from proxy.cache.store import Stored
from proxy.policy.freshness import Terms
from proxy.server.fromcache import answer_from

MODIFIED = "Mon, 23 Nov 2020 10:00:00 GMT"
HEADERS = [("ETag", '"a"'), ("Last-Modified", MODIFIED), ("Content-Type", "text/plain"), ("X", "1"), ("X", "2")]
STORED = Stored(200, HEADERS, b"body", Terms(age_s=2.0, fresh_s=60.0), 1000.0)


def test_a_stored_answer_has_its_fields_its_age_and_says_where_it_comes_from(request_of: Any) -> None:
    response = answer_from(request_of("/"), STORED, 1010.9, "hit")
    assert (response.status, response.body) == (200, b"body")
    assert response.headers.getall("X") == ["1", "2"]
    assert response.headers["Age"] == "12"
    assert response.headers["Cache-Status"] == "proxy-composer; hit; ttl=47"
    assert "Cache-Status" not in answer_from(request_of("/"), STORED, 1010.9, None).headers


def test_every_answer_has_headers_of_its_own(request_of: Any) -> None:
    answer_from(request_of("/"), STORED, 1000.0, None).headers.clear()
    assert answer_from(request_of("/"), STORED, 1000.0, None).headers["ETag"] == '"a"'


def test_one_that_has_just_come_has_no_age_of_ours(request_of: Any) -> None:
    response = answer_from(request_of("/"), STORED, 1000.0, "fwd=miss; fwd-status=200; stored", fresh=True)
    assert "Age" not in response.headers
    assert response.headers["Cache-Status"] == "proxy-composer; fwd=miss; fwd-status=200; stored"


@pytest.mark.parametrize(
    "headers,status",
    [
        ({"If-None-Match": '"a"'}, 304),
        ({"If-None-Match": 'W/"a", "b"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"b"'}, 200),
        ({"If-None-Match": '"b"', "If-Modified-Since": MODIFIED}, 200),
        ({"If-Modified-Since": MODIFIED}, 304),
    ],
)
def test_a_client_that_has_it_already_is_told_so(headers: dict[str, str], status: int, request_of: Any) -> None:
    response = answer_from(request_of("/", headers=headers), STORED, 1000.0, None)
    assert response.status == status
    if status == 304:
        assert response.body == b""
        assert "Content-Type" not in response.headers
        assert response.headers["ETag"] == '"a"'


def test_only_a_200_becomes_a_304(request_of: Any) -> None:
    gone = Stored(404, HEADERS, b"", STORED.terms, 1000.0)
    assert answer_from(request_of("/", headers={"If-None-Match": "*"}), gone, 1000.0, None).status == 404
