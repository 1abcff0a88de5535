import pytest
from pydantic import ValidationError

from proxy.config.ip import IpRules


def test_nothing_is_allowed_or_denied_unless_said() -> None:
    assert (IpRules().allow, IpRules().deny) == ([], [])


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError):
        IpRules.model_validate({"block": []})
