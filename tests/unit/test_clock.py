import re

from proxy.clock import monotonic, timestamp, unix_seconds


def test_a_timestamp_is_rfc_3339_in_utc_with_milliseconds() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", timestamp())


def test_the_monotonic_clock_never_goes_backwards() -> None:
    moments = [monotonic() for _ in range(100)]
    assert moments == sorted(moments)


def test_unix_seconds_are_counted_from_1970() -> None:
    assert unix_seconds() > 1_700_000_000
