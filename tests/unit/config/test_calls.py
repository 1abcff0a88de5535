import pytest
from pydantic import ValidationError

from proxy.config.calls import Call, CallCache


def test_the_methods_of_a_call_are_those_that_are_written() -> None:
    assert Call.model_validate({"get": "u:/a", "put": "u:/b"}).methods == ["get", "put"]
    assert Call.model_validate({}).methods == []


def test_kept_answers_need_a_lifetime() -> None:
    assert CallCache.model_validate({"ttl": "1m"}).ttl == 60
    with pytest.raises(ValidationError):
        CallCache.model_validate({})
