import pytest
from pydantic import ValidationError

from proxy.config.identity import Identity


def test_one_scope_needs_no_list() -> None:
    assert Identity.model_validate({"type": "client_credentials", "scopes": "read"}).scopes == ["read"]


def test_there_are_four_types() -> None:
    with pytest.raises(ValidationError):
        Identity.model_validate({"type": "digest"})
