import pytest
from pydantic import ValidationError

from proxy.config.validate import Validate


def test_a_schema_is_an_object_or_a_boolean() -> None:
    assert Validate.model_validate({"query": {"type": "object"}, "body": False}).body is False
    with pytest.raises(ValidationError):
        Validate.model_validate({"body": "user.json"})
