"""A closed-loop load generator: so many connections, each asking again as soon as it has its answer.

Prints JSON: requests, seconds, latencies in milliseconds (p50, p99), and answers that were not the expected body.
"""

import asyncio
import json
import sys
from time import perf_counter
from typing import cast

import uvloop


class Client(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(
        self, request: bytes, expected: bytes, until: float, latencies: list[float], wrong: list[bytes]
    ) -> None:
        self._request = request
        self._expected = expected
        self._until = until
        self._latencies = latencies
        self._wrong = wrong
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._ask()

    def _ask(self) -> None:
        self._buffer = b""
        self._asked = perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        now = perf_counter()
        self._latencies.append(now - self._asked)
        if json.loads(body) != json.loads(self._expected):
            self._wrong.append(body)
        if now < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def main(port: int, path: str, connections: int, seconds: float, expected: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    latencies: list[float] = []
    wrong: list[bytes] = []
    started = perf_counter()
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: Client(request, expected.encode(), started + seconds, latencies, wrong), "127.0.0.1", port
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    elapsed = perf_counter() - started
    ordered = sorted(latencies)
    print(
        json.dumps(
            {
                "requests": len(ordered),
                "seconds": elapsed,
                "p50_ms": ordered[len(ordered) // 2] * 1000,
                "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
                "wrong": len(wrong),
            }
        )
    )


if __name__ == "__main__":
    _, given_port, given_path, given_connections, given_seconds, given_expected = sys.argv
    uvloop.run(main(int(given_port), given_path, int(given_connections), float(given_seconds), given_expected))
