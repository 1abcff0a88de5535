"""Mixed load on a gateway while its configuration is reloaded and its process replaced: nothing may fail.

`python -m bench.fire [--rate 500] [--reloads 100] [--replacements 20] [--workers 1]`
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

CONFIG = """
version: 1
server: {{drain: 10s, drain_idle: 3s}}
upstreams: {{shop: "{shop}"}}
routes:
  - name: page
    match: GET /page
    calls:
      one: {{get: "shop:/a"}}
      two: {{get: "shop:/b", query: {{n: $.one.n}}}}
    merge: {{one: $.one.n, two: $.two.n, here: {number}}}
  - {{name: drip, match: GET /drip, proxy: {{to: shop}}}}
  - {{name: talk, match: GET /talk, proxy: {{to: shop, websocket: {{drain: 10s}}}}}}
"""
PIECES, PAUSE_S = 10, 0.1
PATIENCE_S = 20.0
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    """JSON, a stream that takes a second, and a WebSocket that answers what it hears."""

    async def number(request: web.Request) -> web.Response:
        return web.Response(body=b'{"n":1}', content_type="application/json")

    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for piece in range(PIECES):
            await answer.write(b"%d\n" % piece)
            await asyncio.sleep(PAUSE_S)
        return answer

    async def talk(request: web.Request) -> web.WebSocketResponse:
        talking = web.WebSocketResponse()
        await talking.prepare(request)
        async for message in talking:
            await talking.send_str(message.data)
        return talking

    app = web.Application()
    app.add_routes([web.get("/a", number), web.get("/b", number), web.get("/drip", drip), web.get("/talk", talk)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, keepalive_timeout=75)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Load:
    """A constant rate of composites, streams and WebSockets. `faults` says what went wrong, `done` how many did not."""

    def __init__(self, port: int, rate: float) -> None:
        self.port = port
        self._rate = rate
        self._idle: deque[Pair] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self.done: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    async def run(self) -> None:
        """Send until stopped, then wait for all answers."""
        loop = asyncio.get_running_loop()
        started, count = loop.time(), 0
        async with aiohttp.ClientSession() as session:
            while not self._stopping.is_set():
                due = started + count / self._rate
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                kind = "stream" if count % 20 == 7 else "websocket" if count % 20 == 17 else "composite"
                task = loop.create_task(self._one(kind, session))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
                count += 1
            await asyncio.gather(*self._under_way)
        while self._idle:
            self._idle.pop()[1].close()

    def stop(self) -> None:
        self._stopping.set()

    async def _one(self, kind: str, session: aiohttp.ClientSession) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                if kind == "websocket":
                    await self._talk(session)
                else:
                    await self._ask("/page" if kind == "composite" else "/drip")
        except (OSError, EOFError, TimeoutError, ValueError, aiohttp.ClientError, asyncio.IncompleteReadError) as error:
            self.faults[f"{kind}: {error!r}"] += 1
        else:
            self.done[kind] += 1

    async def _ask(self, path: str) -> None:
        """One request, on a connection that is kept if there is one. It is never sent twice."""
        reader, writer = self._kept() or await asyncio.open_connection("127.0.0.1", self.port)
        keep = False
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200 "):
                raise ValueError(head[:20].decode())
            body = await _read_body(reader, head)
            expected = b"".join(b"%d\n" % piece for piece in range(PIECES))
            if path == "/drip" and body != expected:
                raise ValueError(f"a stream of {len(body)} bytes")
            if path == "/page" and json.loads(body)["two"] != 1:
                raise ValueError("another answer")
            keep = b"connection: close" not in head
        finally:
            if keep:
                self._idle.append((reader, writer))
            else:
                writer.close()

    def _kept(self) -> Pair | None:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None

    async def _talk(self, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"http://127.0.0.1:{self.port}/talk") as talking:
            for number in range(5):
                await talking.send_str(str(number))
                heard = await talking.receive()
                if heard.data != str(number):
                    raise ValueError(f"heard {heard.type!r} {heard.data!r}")
                await asyncio.sleep(PAUSE_S)


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    _, declared, rest = head.partition(b"content-length: ")
    if declared:
        return await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    pieces = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(pieces)


class Gateway:
    """`serve` as a process. Its log goes to a file that is looked at for what it says."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @classmethod
    async def start(cls, config: Path, port: int, admin_port: int, *more: str, log: Path) -> "Gateway":
        command = [sys.executable, "-m", "proxy", "serve", "--config", str(config), "--no-access-log", "--reuse-port"]
        command += ["--port", str(port), "--admin-port", str(admin_port), *more]
        with log.open("wb") as said:
            gateway = cls(await asyncio.create_subprocess_exec(*command, stderr=said), log)
        await gateway.says("listening on")
        return gateway

    async def says(self, text: str) -> None:
        """Wait until the log has a text."""
        async with asyncio.timeout(PATIENCE_S):
            while text not in self._log.read_text():
                if self.process.returncode is not None:
                    raise RuntimeError(self._log.read_text())
                await asyncio.sleep(0.02)

    async def end(self) -> int:
        """Ask it to stop, and wait for its exit code."""
        self.process.terminate()
        return await self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def fire(rate: float, reloads: int, replacements: int, *more: str) -> Load:
    """Reload and replace a gateway under load; gives what the load saw. A gateway that fails to stop is a fault too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "routes.yaml"
        port, admin_port = free_port(), free_port()
        async with upstream() as shop:

            def write(number: int) -> None:
                fresh = folder / "fresh"
                fresh.write_text(CONFIG.format(shop=shop, number=number))
                os.replace(fresh, config)

            write(0)
            gateway = await Gateway.start(config, port, admin_port, *more, log=folder / "0.log")
            load = Load(port, rate)
            running = asyncio.get_running_loop().create_task(load.run())
            each = max(reloads // max(replacements, 1), 1)
            stopped: list[asyncio.Task[int]] = []
            generation, replaced = 1, 0
            for number in range(1, reloads + 1):
                write(number)
                generation += 1
                await gateway.says(f"generation {generation} serves")
                if number % each == 0 and replaced < replacements:
                    replaced, generation = replaced + 1, 1
                    old = gateway
                    log = folder / f"{replaced}.log"
                    gateway = await Gateway.start(config, port, admin_port, *more, log=log)
                    stopped.append(asyncio.get_running_loop().create_task(old.end()))
            codes = await asyncio.gather(*stopped)
            load.stop()
            await running
            codes.append(await gateway.end())
            if any(codes):
                load.faults[f"exit codes {codes}"] += 1
            return load


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--replacements", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    load = asyncio.run(fire(given.rate, given.reloads, given.replacements, "--workers", str(given.workers)))
    print(f"done: {dict(load.done)}; failed: {dict(load.faults) or 'none'}")
    return 1 if load.faults else 0


if __name__ == "__main__":
    sys.exit(main())
