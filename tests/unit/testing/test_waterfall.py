from proxy.message import CallRecord
from proxy.testing.waterfall import waterfall


def test_bars_stand_where_calls_were_over_time() -> None:
    calls = [
        CallRecord("late", 200, 50.0, started_ms=50.0),
        CallRecord("user", 200, 50.0, started_ms=0.0),
        CallRecord("tiny", 0, 0.1, "upstream_timeout", 3, 100.0),
    ]
    lines = waterfall(calls, 78, block="#", edge="|")
    assert [line.split()[0] for line in lines] == ["user", "late", "tiny"]
    assert lines[0].index("#") < lines[1].index("#") < lines[2].index("|")
    assert lines[0].count("#") == lines[1].count("#") == 20
    assert lines[2].endswith("0.1 ms  – ×3 upstream_timeout")


def test_no_line_is_wider_than_the_terminal() -> None:
    calls = [CallRecord("a" * 50, 200, 1.0, started_ms=float(at)) for at in range(5)]
    assert max(len(line) for line in waterfall(calls, 80)) <= 80


def test_without_calls_there_is_nothing_to_draw() -> None:
    assert waterfall([], 80) == []
    assert len(waterfall([CallRecord("a", 200, 0.0)], 80)) == 1
