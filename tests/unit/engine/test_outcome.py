from multidict import CIMultiDict

from proxy.engine.outcome import Done, Failed, Fanned, Skipped, describe
from proxy.errors import UpstreamTimeout


def test_a_failure_without_an_answer_has_status_0_and_shows_no_body() -> None:
    failed = Failed(UpstreamTimeout("late"), body=b"secret")
    assert failed.status == 0
    assert "secret" not in repr(failed)


def test_a_skipped_call_is_neither_done_nor_failed() -> None:
    assert Skipped() != Done(200, CIMultiDict(), None)
    assert not isinstance(Skipped(), Failed)


def test_a_fan_out_names_what_was_partial_within_it_once() -> None:
    answers = [Done(200, CIMultiDict(), 1, inner) for inner in ("a, b", None, "b")]
    assert Fanned(answers, []).inner_partial == "a, b"


def test_what_is_known_of_a_call_says_whether_all_went_well() -> None:
    failed = Failed(UpstreamTimeout("late"))
    assert describe(Done(201, CIMultiDict({"A": "b"}), 1), 2.0)["headers"] == {"a": "b"}
    assert describe(Fanned([], []), 1.0)["ok"] is True
    assert describe(Fanned([], [(1, failed)]), 1.0)["error"] == "upstream_timeout"
    assert describe(Skipped(), 1.0) == {"status": 0, "headers": {}, "ok": False, "error": None, "ms": 0}
