"""Bodies that are larger than what the gateway may use: measured in a process of its own."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

SIZE = 256 * 1024 * 1024
ALLOWED = 32 * 1024 * 1024
PIECE = bytes(1024 * 1024)
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE_S = 120

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")


def resident(pid: int, field: str) -> int:
    """`VmRSS`, what a process has in memory, or `VmHWM`, the most that it ever had."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found is not None
    return int(found[1]) * 1024


async def pour(writer: asyncio.StreamWriter) -> None:
    for _ in range(SIZE // len(PIECE)):
        writer.write(PIECE)
        await writer.drain()


async def swallow(reader: asyncio.StreamReader, size: int) -> None:
    while size:
        piece = await reader.read(min(size, len(PIECE)))
        assert piece, f"{size} bytes are missing"
        size -= len(piece)


@asynccontextmanager
async def upstream() -> AsyncIterator[int]:
    """Answers GET with a large body, and PUT when it has read one."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"small" in head:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                elif head.startswith(b"GET"):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
                    await pour(writer)
                else:
                    await swallow(reader, SIZE)
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=len(PIECE))
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in writers:  # from Python 3.12 on a server ends when its connections have
            writer.close()


@needs_proc
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_large_body_takes_no_memory(method: str, start_gateway: Any, tmp_path: Path) -> None:
    async with upstream() as port, asyncio.timeout(PATIENCE_S):
        (tmp_path / "routes.yaml").write_text(
            f"version: 1\nupstreams: {{up: 'http://127.0.0.1:{port}'}}\n"
            "routes: [{name: pass, match: '/{rest:path}', max_body: 1GiB, proxy: up}]\n"
        )
        gateway = await start_gateway(tmp_path / "routes.yaml")
        host, _, number = gateway.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(number), limit=len(PIECE))
        writer.write(b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"ok")
        idle = resident(gateway.process.pid, "VmRSS")
        length = b"Content-Length: %d\r\n" % SIZE if method == "PUT" else b""
        writer.write(method.encode() + b" /large HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n")
        if method == "PUT":
            await pour(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        if method == "GET":
            assert b"Content-Length: %d\r\n" % SIZE in head
            await swallow(reader, SIZE)
        else:
            assert head.startswith(b"HTTP/1.1 204 ")
        writer.close()
        assert resident(gateway.process.pid, "VmHWM") - idle < ALLOWED
