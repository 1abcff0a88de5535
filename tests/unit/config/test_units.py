import pytest

from proxy.config.units import parse_duration, parse_size
from proxy.problems import Invalid


@pytest.mark.parametrize(
    "text,seconds", [("150ms", 0.15), ("2s", 2), ("1.5s", 1.5), ("5m", 300), ("1h", 3600), ("2 s", 2)]
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text,size", [("512B", 512), ("64KiB", 65536), ("2MiB", 2 * 1024**2), ("1GiB", 1024**3), ("1KB", 1000), ("0B", 0)]
)
def test_a_size_has_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("value", [1, 1.5, "1", "s", "1x", "-1s", "0s", "1e3s", "", None, True, [], "1 day"])
def test_anything_else_is_not_a_duration(value: object) -> None:
    with pytest.raises(Invalid) as refused:
        parse_duration(value)
    assert refused.value.code == "bad-duration"
    assert refused.value.hint


@pytest.mark.parametrize("value", [1024, "1", "1kb", "1 mib", None])
def test_anything_else_is_not_a_size(value: object) -> None:
    with pytest.raises(Invalid) as refused:
        parse_size(value)
    assert refused.value.code == "bad-size"


def test_a_number_without_a_unit_is_shown_with_one() -> None:
    with pytest.raises(Invalid) as refused:
        parse_duration(3)
    assert refused.value.hint == "write 3s"
