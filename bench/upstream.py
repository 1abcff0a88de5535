"""The two upstreams as one cheap server of constant bytes, so that what is measured is the gateway.

`GET /_count` says how many requests it served.
"""

import asyncio
import os
from functools import cache
from typing import cast

import uvloop

ANSWERS = {
    b"/users/1": b'{"id":1,"name":"Alice","email":"alice@example.com","phone":"+1-555-0101"}',
    b"/products?user_id=1": b'[{"id":1,"name":"Laptop","price":1299.00},{"id":2,"name":"Smartphone","price":799.50}]',
}


def answer(target: bytes) -> bytes:
    """The body for a target. `/orders/N` has N lines; `/products/K` and `/products?id=K&id=L` are their products."""
    path, _, query = target.partition(b"?")
    if target in ANSWERS:
        return ANSWERS[target]
    if path.startswith(b"/orders/"):
        return orders(int(path[8:]))
    if path.startswith(b"/products/"):
        return product(path[10:])
    if path == b"/products":
        return b"[" + b",".join(product(pair[3:]) for pair in query.split(b"&")) + b"]"
    return b"null"


@cache
def orders(lines: int) -> bytes:
    return b'{"id":1,"lines":[' + b",".join(b'{"product":%d,"n":1}' % number for number in range(lines)) + b"]}"


@cache
def product(number: bytes) -> bytes:
    return b'{"id":%s,"name":"Product %s","price":12.50,"tags":["a","b"]}' % (number, number)


class Upstream(asyncio.Protocol):
    """Answers requests without bodies, pipelined or not."""

    served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            target = self._buffer.split(b" ", 2)[1]
            self._buffer = self._buffer[end + 4 :]
            if target == b"/_count":
                body = str(Upstream.served).encode()
            else:
                Upstream.served += 1
                body = answer(target)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(
        Upstream, "127.0.0.1", int(os.environ["PORT"]), backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
