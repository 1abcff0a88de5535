from typing import Any

import pytest
from pydantic import ValidationError

from proxy.config.proxying import Mirror, ProxyAction


def test_a_pass_through_and_a_mirror_may_be_their_upstreams_name() -> None:
    assert ProxyAction.model_validate("users").to == "users"
    assert Mirror.model_validate("users-v2").to == "users-v2"


@pytest.mark.parametrize("value,wanted", [(True, True), ({}, True), (False, False), (None, False)])
def test_web_sockets_may_be_switched_on(value: Any, wanted: bool) -> None:
    assert (ProxyAction.model_validate({"to": "u", "websocket": value}).websocket is not None) is wanted


@pytest.mark.parametrize(
    "value",
    [
        {"to": "u", "redirects": "rewrit"},
        {"to": "u", "split": {"to": {}}},
        {"to": "u", "split": {"to": {"a": -1}}},
        {"to": "u", "mirror": {"share": "10%"}},
        {"to": "u", "cookies": {"path": "remove"}},
    ],
)
def test_what_is_not_meant_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        ProxyAction.model_validate(value)
