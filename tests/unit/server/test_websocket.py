from collections.abc import Callable
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.errors import UpstreamInvalid
from proxy.message import Request
from proxy.plan.proxying import WebSocketPlan
from proxy.server.websocket import (
    BadHandshake,
    Switched,
    WebSocketsOff,
    accept_of,
    ask_upstream,
    asks_for_websocket,
    check_handshake,
    switched,
)

PLAN = WebSocketPlan(idle_s=60, drain_s=10)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEADERS = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


async def no_body(limit: int) -> bytes:
    return b""


def asked(headers: Any = HEADERS, method: str = "GET", *, can_switch: bool = True) -> Request:
    return Request(
        method=method, raw_target="/", headers=CIMultiDictProxy(CIMultiDict(headers)), read_body=no_body, id="1",
        client_ip="", client_port=0, scheme="http", host="", received_at=0.0, can_switch=can_switch,
    )  # fmt: skip


class Duplex:
    closed = False

    def close(self) -> None:
        self.closed = True


class Answer:
    def __init__(self, headers: Any, duplex: Duplex | None) -> None:
        self.headers = CIMultiDict(headers)
        self.duplex = duplex
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_the_example_of_the_rfc() -> None:
    assert accept_of(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "headers,wanted",
    [
        (HEADERS, True),
        ({"Connection": "upgrade", "Upgrade": "h2c, WebSocket"}, True),
        ({"Connection": "close", "Upgrade": "websocket"}, False),
        ({"Connection": "Upgrade"}, False),
        ({"Connection": "Upgrade", "Upgrade": "h2c"}, False),
    ],
)
def test_a_request_asks_for_it_by_two_fields(headers: dict[str, str], wanted: bool) -> None:
    assert asks_for_websocket(CIMultiDict(headers)) is wanted


def test_a_right_handshake_passes() -> None:
    check_handshake(asked(), PLAN)


def test_a_route_that_does_not_say_so_passes_none() -> None:
    with pytest.raises(WebSocketsOff):
        check_handshake(asked(), None)


Change = Callable[[CIMultiDict[str]], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: headers.add("Content-Length", "1"),
        lambda headers: headers.add("Transfer-Encoding", "chunked"),
        lambda headers: headers.update({"Upgrade": "websocket, h2c"}),
        lambda headers: headers.add("Upgrade", "h2c"),
        lambda headers: headers.pop("Sec-WebSocket-Key"),
        lambda headers: headers.add("Sec-WebSocket-Key", KEY),
        lambda headers: headers.update({"Sec-WebSocket-Key": "c2hvcnQ="}),
        lambda headers: headers.update({"Sec-WebSocket-Key": "*" * 24}),
        lambda headers: headers.pop("Sec-WebSocket-Version"),
        lambda headers: headers.update({"Sec-WebSocket-Version": "13, 8"}),
    ],
)
def test_a_wrong_handshake_is_refused_and_the_connection_closed(change: Change) -> None:
    headers = CIMultiDict(HEADERS)
    change(headers)
    with pytest.raises(BadHandshake) as refused:
        check_handshake(asked(headers), PLAN)
    assert refused.value.close


@pytest.mark.parametrize("request_", [asked(method="POST"), asked(can_switch=False)])
def test_it_begins_with_a_get_of_http_1_1(request_: Request) -> None:
    with pytest.raises(BadHandshake):
        check_handshake(request_, PLAN)


def test_the_upstream_is_asked_for_just_that() -> None:
    headers = CIMultiDict({"TE": "trailers", "Connection": "TE"})
    ask_upstream(headers)
    assert dict(headers) == {"Connection": "Upgrade", "Upgrade": "websocket"}


def test_its_101_becomes_the_clients() -> None:
    duplex: Any = Duplex()
    answer: Any = Answer({"Upgrade": "WebSocket", "Sec-WebSocket-Accept": accept_of(KEY)}, duplex)
    response = switched(asked(), answer, CIMultiDict({"X-A": "b"}), PLAN, "chat")
    assert (response.status, dict(response.headers)) == (
        101,
        {"X-A": "b", "Connection": "Upgrade", "Upgrade": "websocket"},
    )
    assert isinstance(response.stream, Switched)
    response.stream.close()
    assert duplex.closed


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "websocket"},
        {"Upgrade": "websocket", "Sec-WebSocket-Accept": "x"},
        {"Upgrade": "h2c", "Sec-WebSocket-Accept": accept_of(KEY)},
        {"Sec-WebSocket-Accept": accept_of(KEY)},
    ],
)
def test_a_101_that_answers_something_else_is_none(headers: dict[str, str]) -> None:
    answer: Any = Answer(headers, Duplex())
    with pytest.raises(UpstreamInvalid):
        switched(asked(), answer, CIMultiDict(), PLAN, "chat")
    assert answer.closed
