import pytest
from pydantic import ValidationError

from proxy.config.auth import Auth
from proxy.config.model import Config, Route


def test_a_route_names_one_provider_or_several() -> None:
    assert Route.model_validate({"name": "a", "match": "/", "auth": "shop"}).auth == ["shop"]
    assert Route.model_validate({"name": "a", "match": "/", "auth": ["a", "b"]}).auth == ["a", "b"]


def test_providers_have_names_and_types() -> None:
    config = Config.model_validate({"version": 1, "auth": {"k": {"type": "api_key", "keys": {"a": {"sha256": "0"}}}}})
    assert config.auth["k"].type == "api_key"
    with pytest.raises(ValidationError):
        Auth.model_validate({"type": "magic"})
