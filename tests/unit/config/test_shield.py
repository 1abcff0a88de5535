from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.config.shield import Bots, Limits, SecurityHeaders


def test_one_pattern_needs_no_list() -> None:
    assert Bots.model_validate({"deny": "curl"}).deny == ["curl"]


def test_sizes_have_units() -> None:
    assert Limits.model_validate({"url": "2KiB", "headers": "8KiB", "header_count": 5}).url == 2048
    for wrong in ({"url": 2048}, {"header_count": 0}):
        with pytest.raises(ValidationError):
            Limits.model_validate(wrong)


@pytest.mark.parametrize("said", [True, False, {"X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": None}])
def test_headers_are_on_or_off_or_otherwise(said: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(SecurityHeaders)
    assert adapter.validate_python(said, strict=True) == said
