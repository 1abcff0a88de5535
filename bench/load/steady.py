"""A constant rate: requests leave when they are due, whether or not earlier ones were answered.

A latency counts from the moment the request was due, so that a peer that stalls cannot hide it by holding up the
generator (coordinated omission).
"""

import asyncio
import json
import selectors
import sys
from collections import deque
from pathlib import Path
from time import perf_counter

from bench.load.client import Client, percentile, request_for

# Not counted: a contestant that was idle since its last round opens a hundred connections to its upstream first.
_LEAD_IN_S = 1.0


class Schedule:
    """Who is free, what is due, and what was seen."""

    def __init__(self, request: bytes, expected: bytes) -> None:
        self._request = request
        self._expected = expected
        self._due: dict[Client, float] = {}
        self._waiting: deque[float] = deque()
        self.free: deque[Client] = deque()
        self.latencies: list[float] = []
        self.counts_from = 0.0
        self.wrong = 0
        self.found_none_free = 0

    def send(self, due: float) -> None:
        if self.free:
            client = self.free.popleft()
            self._due[client] = due
            client.ask(self._request)
        else:
            self.found_none_free += 1
            self._waiting.append(due)

    def answered(self, client: Client, status: int, body: bytes) -> None:
        due = self._due.pop(client)
        if due >= self.counts_from:
            self.latencies.append(perf_counter() - due)
        self.wrong += status != 200 or body != self._expected
        self.free.append(client)
        if self._waiting:
            self.send(self._waiting.popleft())

    def lost(self, client: Client) -> None:
        self.wrong += self._due.pop(client, None) is not None
        if client in self.free:
            self.free.remove(client)

    @property
    def busy(self) -> bool:
        return bool(self._due)


async def main(port: int, path: str, connections: int, rate: float, seconds: float, expected: bytes) -> None:
    schedule = Schedule(request_for(path, port), expected)
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(schedule.answered, schedule.lost), "127.0.0.1", port)
        clients.append(client)
    schedule.free.extend(clients)
    started = perf_counter()
    schedule.counts_from = started + _LEAD_IN_S
    sent = int(rate * (_LEAD_IN_S + seconds))
    for number in range(sent):
        due = started + number / rate
        if (wait := due - perf_counter()) > 0:
            await asyncio.sleep(wait)
        schedule.send(due)
    elapsed = perf_counter() - started
    while schedule.busy:  # noqa: ASYNC110 – the end of the run; an event for every answer would cost more
        await asyncio.sleep(0.005)
    ordered = sorted(schedule.latencies)
    result = {
        "requests": sent,
        "seconds": elapsed,
        "p50_ms": percentile(ordered, 0.5) * 1000,
        "p99_ms": percentile(ordered, 0.99) * 1000,
        "p999_ms": percentile(ordered, 0.999) * 1000,
        "wrong": schedule.wrong,
        "found_none_free": schedule.found_none_free,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    _, port_, path_, connections_, rate_, seconds_, expected_ = sys.argv
    # epoll, and so uvloop and asyncio's own loop, sleeps in whole milliseconds; select is exact to microseconds.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        expected_body = Path(expected_).read_bytes()
        runner.run(main(int(port_), path_, int(connections_), float(rate_), float(seconds_), expected_body))
