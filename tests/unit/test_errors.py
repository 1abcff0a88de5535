import pytest

from proxy import errors
from proxy.errors import (
    DeadlineExceeded,
    GatewayError,
    MethodNotAllowed,
    PassedStatus,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamStatus,
    UpstreamTimeout,
    reason,
    to_problem,
)

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatewayError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_whose_fault_it_is_by_its_status(kind: type[GatewayError]) -> None:
    # 501 and 505 are about what a client sent, too (RFC 9110 §15.6.2, §15.6.6).
    assert (kind.source == "client") == (400 <= kind.status < 500 or kind.status in (501, 505))


def test_no_two_upstream_failures_share_a_code() -> None:
    codes = [kind.code for kind in KINDS if issubclass(kind, UpstreamFailed)]
    assert len(codes) == len(set(codes))


def test_a_problem_document_has_its_members_in_reading_order() -> None:
    error = UpstreamStatus(503)
    error.call = "user"
    assert to_problem(error, route="page", request_id="r1") == {
        "type": "about:blank",
        "title": "Bad Gateway",
        "status": 502,
        "detail": "call 'user': the upstream answered with status 503",
        "route": "page",
        "call": "user",
        "code": "upstream_status",
        "request_id": "r1",
    }
    assert list(to_problem(error, route="page", request_id="r1"))[:3] == ["type", "title", "status"]


def test_a_problem_document_leaves_out_what_is_not_known() -> None:
    problem = to_problem(GatewayError(), route=None, request_id="r1")
    assert set(problem) == {"type", "title", "status", "code", "request_id"}


def test_what_is_internal_never_reaches_the_client() -> None:
    error = UpstreamFailed("it failed", internal="connect to 10.0.0.1:80 failed")
    assert "10.0.0.1" not in str(to_problem(error, route="page", request_id="r1"))
    assert "10.0.0.1" in str(error)


def test_a_method_that_is_not_served_comes_with_those_that_are() -> None:
    assert MethodNotAllowed("POST", ("GET", "HEAD")).headers == {"Allow": "GET, HEAD"}


@pytest.mark.parametrize("kind,status", [(UpstreamTimeout, 504), (DeadlineExceeded, 504), (UpstreamBusy, 503)])
def test_time_and_capacity_have_statuses_of_their_own(kind: type[GatewayError], status: int) -> None:
    assert kind("x").status == status


def test_a_passed_status_is_the_upstreams() -> None:
    assert PassedStatus(404).status == 404


def test_a_status_without_a_phrase_has_a_plain_one() -> None:
    assert (reason(404), reason(599)) == ("Not Found", "Error")
