"""One keep-alive connection for the load generators, and the numbers made of many latencies."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import httptools


def request_for(path: str, port: int) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Client(asyncio.Protocol):
    """Sends a request when told to, and says with which status and body it was answered."""

    def __init__(self, answered: Callable[["Client", int, bytes], None], lost: Callable[["Client"], None]) -> None:
        self._answered = answered
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def ask(self, request: bytes) -> None:
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._answered(self, self._parser.get_status_code(), b"".join(self._body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)
