from typing import Any

import pytest
from pydantic import ValidationError

from proxy.config.server import Server


def test_everything_has_a_default() -> None:
    server = Server()
    assert (server.max_body, server.drain, server.shedding.wait) == (8 << 20, 10.0, 1.0)


@pytest.mark.parametrize("value", [{"drain": 10}, {"id": "two words"}, {"max_passes": 0}, {"forwarded": "no"}])
def test_what_is_not_meant_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        Server.model_validate(value)
