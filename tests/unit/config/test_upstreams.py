from typing import Any

import pytest
from pydantic import ValidationError

from proxy.config.upstreams import Upstream


def test_an_upstream_may_be_its_url() -> None:
    assert [one.url for one in Upstream.model_validate("http://u").urls] == ["http://u"]


def test_balance_may_be_a_policys_name() -> None:
    assert Upstream.model_validate({"urls": ["http://u"], "balance": "ewma"}).balance.policy == "ewma"


@pytest.mark.parametrize(
    "value",
    [
        {"urls": []},
        {"urls": ["http://u"], "max_connections": 0},
        {"urls": ["http://u"], "max_connections": "3"},
        {"urls": ["http://u"], "balance": "fastest"},
        {"urls": [{"url": "http://u", "weight": 0}]},
        {"urls": ["http://u"], "breaker": {"failures": True}},
        {"urls": ["http://u"], "health": {}},
    ],
)
def test_what_is_not_meant_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        Upstream.model_validate(value)
