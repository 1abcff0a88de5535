"""A closed loop: so many connections, each asking again as soon as it has its answer.

Slower than wrk, but it lets the last requests end, so that the calls counted belong to the requests counted.
"""

import asyncio
import json
import sys
from pathlib import Path
from time import perf_counter

import uvloop

from bench.load.client import Client, percentile, request_for


class Crowd:
    """The connections, and what they have seen."""

    def __init__(self, request: bytes, expected: bytes, seconds: float) -> None:
        self._request = request
        self._expected = expected
        self._until = perf_counter() + seconds
        self._asked: dict[Client, float] = {}
        self.latencies: list[float] = []
        self.wrong = 0

    def ask(self, client: Client) -> None:
        self._asked[client] = perf_counter()
        client.ask(self._request)

    def answered(self, client: Client, status: int, body: bytes) -> None:
        now = perf_counter()
        self.latencies.append(now - self._asked.pop(client))
        self.wrong += status != 200 or body != self._expected
        if now < self._until:
            self.ask(client)
        else:
            client.transport.close()

    def lost(self, client: Client) -> None:
        self.wrong += self._asked.pop(client, None) is not None

    @property
    def busy(self) -> bool:
        return bool(self._asked)


async def main(port: int, path: str, connections: int, seconds: float, expected: bytes) -> None:
    started = perf_counter()
    crowd = Crowd(request_for(path, port), expected, seconds)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(crowd.answered, crowd.lost), "127.0.0.1", port)
        crowd.ask(client)
    while crowd.busy:  # noqa: ASYNC110 – once in 5 ms costs nothing, an event for every answer would
        await asyncio.sleep(0.005)
    elapsed = perf_counter() - started
    ordered = sorted(crowd.latencies)
    result = {
        "requests": len(ordered),
        "seconds": elapsed,
        "bytes": len(ordered) * len(expected),
        "p50_ms": percentile(ordered, 0.5) * 1000,
        "p99_ms": percentile(ordered, 0.99) * 1000,
        "wrong": crowd.wrong,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    _, port_, path_, connections_, seconds_, expected_ = sys.argv
    uvloop.run(main(int(port_), path_, int(connections_), float(seconds_), Path(expected_).read_bytes()))
