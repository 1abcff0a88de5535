"""Many WebSockets at once: what each takes of the gateway's memory, and how long echoes take.

`python -m bench.websockets [--count 9980]`. Upstream, gateway and clients are processes of their own; each WebSocket
is two open files of the gateway, so `ulimit -n` bounds the count.
"""

import argparse
import asyncio
import base64
import hashlib
import multiprocessing
import os
import tempfile
from pathlib import Path
from time import perf_counter

from bench.fire import Gateway, free_port
from bench.process import memory_mib

CONFIG = """
version: 1
server: {{max_connections: 100000, max_connections_per_client: 100000}}
upstreams:
  chat: {{urls: ["http://127.0.0.1:{port}"], max_connections: 100000, timeouts: {{connect: 30s, pool: 30s}}}}
routes: [{{name: chat, match: "/{{rest:path}}", proxy: {{to: chat, websocket: true}}}}]
"""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_ASK = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + _KEY + b"\r\n\r\n"
)
_MASK = b"abcd"
_SENT = b"\x81\x85" + _MASK + bytes(byte ^ key for byte, key in zip(b"hello", _MASK * 2, strict=False))
_HEARD = b"\x81\x05hello"
_AT_ONCE = 200
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    accept = base64.b64encode(hashlib.sha1(_KEY + _GUID, usedforsecurity=False).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while data := await reader.read(4096):
        writer.write(_HEARD * (len(data) // len(_SENT)))
    writer.close()


def _serve(port: int) -> None:
    async def serve() -> None:
        async with await asyncio.start_server(_answer, "127.0.0.1", port, backlog=4096) as server:
            await server.serve_forever()

    asyncio.run(serve())


async def _open(port: int, count: int) -> list[Pair]:
    pairs: list[Pair] = []
    some = asyncio.Semaphore(_AT_ONCE)

    async def one() -> None:
        async with some:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_ASK)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in head:
                raise RuntimeError(head.decode("latin-1"))
            pairs.append((reader, writer))

    await asyncio.gather(*[one() for _ in range(count)])
    return pairs


async def _echo(pair: Pair) -> float:
    started = perf_counter()
    reader, writer = pair
    writer.write(_SENT)
    if await reader.readexactly(len(_HEARD)) != _HEARD:
        raise RuntimeError("another answer came back")
    return perf_counter() - started


def _quantiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    middle, late = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"p50 {middle * 1e3:.2f} ms, p99 {late * 1e3:.2f} ms"


async def measure(count: int, folder: Path) -> list[str]:
    """Open them, let all of them echo, close them; the lines to print."""
    port, upstream_port = free_port(), free_port()
    config = folder / "routes.yaml"
    config.write_text(CONFIG.format(port=upstream_port))
    upstream = multiprocessing.get_context("spawn").Process(target=_serve, args=(upstream_port,), daemon=True)
    upstream.start()
    gateway = await Gateway.start(config, port, free_port(), log=folder / "log")
    pid = gateway.process.pid
    try:
        before, files = memory_mib(pid), len(os.listdir(f"/proc/{pid}/fd"))
        started = perf_counter()
        pairs = await _open(port, count)
        lines = [f"{count} open after {perf_counter() - started:.1f} s"]
        now = memory_mib(pid)
        lines.append(f"gateway: {before:.0f} MiB, with them {now:.0f}: {(now - before) * 1024 / count:.1f} KiB each")
        started = perf_counter()
        all_at_once = await asyncio.gather(*[_echo(pair) for pair in pairs])
        lines.append(f"an echo on all at once: {count / (perf_counter() - started):.0f}/s, {_quantiles(all_at_once)}")
        lines.append(f"one after the other: {_quantiles([await _echo(pair) for pair in pairs[:2000]])}")
        for _, writer in pairs:
            writer.close()
        while len(os.listdir(f"/proc/{pid}/fd")) > files:  # noqa: ASYNC110 – there is nobody who would tell
            await asyncio.sleep(0.1)
        lines.append(f"closed: no file left open, {memory_mib(pid):.0f} MiB")
    finally:
        await gateway.end()
        upstream.terminate()
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=9980)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for line in asyncio.run(measure(given.count, Path(name))):
            print(line)


if __name__ == "__main__":
    main()
