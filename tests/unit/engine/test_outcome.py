from multidict import CIMultiDict

from proxy.engine.outcome import Done, Failed, Skipped
from proxy.errors import UpstreamTimeout


def test_a_failure_without_an_answer_has_status_0_and_shows_no_body() -> None:
    failed = Failed(UpstreamTimeout("late"), body=b"secret")
    assert failed.status == 0
    assert "secret" not in repr(failed)


def test_a_skipped_call_is_neither_done_nor_failed() -> None:
    assert Skipped() != Done(200, CIMultiDict(), None)
    assert not isinstance(Skipped(), Failed)
