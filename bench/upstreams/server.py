"""The upstreams in Python, for machines without nginx and Lua. `GET /_count` says how many requests were served."""

import asyncio
import os
from typing import cast

import uvloop

from bench.upstreams import data

_CHUNK = bytes(256 * 1024)


def answer(target: str) -> bytes:
    """The body for a target. `/orders/N` has N lines; `/products/K` and `/products?id=K&id=L` are their products."""
    path, _, query = target.partition("?")
    if target in data.ANSWERS:
        return data.ANSWERS[target]
    if path.startswith("/orders/"):
        return data.order(int(path[8:]))
    if path.startswith("/products/"):
        return data.product(path[10:])
    if path == "/products":
        return b"[" + b",".join(data.product(pair[3:]) for pair in query.split("&")) + b"]"
    if path == "/files/1m":
        return bytes(data.MIB)
    return b"null"


class Upstream(asyncio.Protocol):
    """Answers requests without bodies, pipelined or not."""

    served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._buffer = b""
        self._left = 0

    def data_received(self, received: bytes) -> None:
        self._buffer += received
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            target = self._buffer.split(b" ", 2)[1].decode()
            self._buffer = self._buffer[end + 4 :]
            if target == "/_count":
                self._write(str(Upstream.served).encode())
                continue
            Upstream.served += 1
            if target == "/files/1g":
                self._left = data.GIB
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self._left)
                self.resume_writing()
            elif target.startswith("/slow"):
                asyncio.get_running_loop().call_later(data.SLOW_S, self._write, answer(target))
            else:
                self._write(answer(target))

    def _write(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        while self._left and not self._paused and not self._transport.is_closing():
            chunk = _CHUNK[: self._left]
            self._left -= len(chunk)
            self._transport.write(chunk)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", int(os.environ["PORT"]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
