import json
from dataclasses import replace
from typing import Any

import pytest

from proxy.server import listener


async def test_a_connection_without_room_is_told_so_and_closed(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(listener._DEFAULTS, max_connections=1)
    served.listener.census._settings = lambda: plan
    assert served.listener.census.enter("somebody")
    answer = await served.talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"Connection: close" in head
    assert json.loads(body)["code"] == "too_many_connections"
    served.listener.census.leave("somebody")
    assert (await served.talk(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
