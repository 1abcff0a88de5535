from typing import Any

import pytest
from pydantic import ValidationError

from proxy.config.model import Route
from proxy.config.ratelimit import RateLimit


def test_a_limit_may_be_its_rate() -> None:
    assert RateLimit.model_validate("100/1m").rate == (100, 60.0)


def test_one_limit_is_a_list_of_one() -> None:
    route = {"name": "a", "match": "/", "reply": {}}
    assert len(Route.model_validate({**route, "rate_limit": "5/s"}).rate_limit) == 1
    assert len(Route.model_validate({**route, "rate_limit": ["5/s", {"rate": "9/1h", "name": "b"}]}).rate_limit) == 2


@pytest.mark.parametrize("value", ["100", "0/1m", "x/1m", "10/0s", "10/1x", "/1m", 100, {"rate": "1/s", "burst": 0}])
def test_what_is_no_limit_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        RateLimit.model_validate(value)
