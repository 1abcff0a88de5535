"""A gateway before an upstream that is a real process, to be killed, frozen and cut off."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.fire import Gateway, free_port
from bench.process import memory_mib

PATIENCE_S = 45.0
CONFIG = """
version: 1
server: {{drain_idle: 50ms}}
upstreams:
  shaky: {{urls: ["http://127.0.0.1:{port}"], keepalive: {{idle: 1s}}, timeouts: {{connect: 1s, first_byte: 1s}}}}
routes:
  - name: page
    match: GET /page/{{what}}
    calls: {{it: {{get: "shaky:/${{params.what}}", timeout: 1s}}}}
    merge: $.it
  - name: soft
    match: GET /soft/{{what}}
    calls: {{it: {{get: "shaky:/${{params.what}}", timeout: 1s, fallback: {{n: 0}}}}}}
    merge: $.it
  - {{name: passed, match: "GET /passed/{{what}}", proxy: {{to: shaky, path: {{strip_prefix: /passed}}}}}}
"""


class Upstream:
    """The upstream's process."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("upstream.py")), str(self.port)]
        self.process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert self.process.stdout is not None
        assert await self.process.stdout.readline() == b"ready\n"

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def end(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        await self.process.communicate()


class Scene:
    """A gateway before a shaky upstream."""

    def __init__(
        self, upstream: Upstream, gateway: Gateway, url: str, admin: str, session: aiohttp.ClientSession
    ) -> None:
        self.upstream = upstream
        self.gateway = gateway
        self._url = url
        self._admin = admin
        self._session = session

    async def get(self, path: str) -> int:
        """The status; 0 for an answer that broke off."""
        try:
            async with self._session.get(self._url + path) as response:
                await response.read()
                return response.status
        except aiohttp.ClientError:
            return 0

    async def load(self, path: str, count: int = 60) -> Counter[int]:
        """The statuses of so many requests, ten at a time."""
        seen: Counter[int] = Counter()
        for _ in range(count // 10):
            seen.update(await asyncio.gather(*[self.get(path) for _ in range(10)]))
        return seen

    async def recovers(self) -> None:
        """Everything is answered as it should be, and that soon."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.load("/page/ok", 30) != {200: 30} or await self.load("/passed/ok", 30) != {200: 30}:
                pass

    async def tasks(self) -> int:
        """How many tasks of asyncio the gateway has."""
        async with self._session.get(self._admin + "/metrics") as response:
            text = await response.text()
        (line,) = [line for line in text.splitlines() if line.startswith("proxy_tasks ")]
        return int(float(line.split()[1]))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.gateway.process.pid}/fd"))

    async def settles_at(self, descriptors: int, tasks: int) -> None:
        """No descriptor and no task is left of the fault: connections that idle too long go as others are used."""
        async with asyncio.timeout(PATIENCE_S):
            while self.descriptors() > descriptors:
                assert await self.get("/page/ok") == 200
                await asyncio.sleep(0.05)
            while await self.tasks() > tasks:
                assert await self.get("/page/ok") == 200

    def memory(self) -> float:
        return memory_mib(self.gateway.process.pid)


@asynccontextmanager
async def make_scene(folder: Path) -> AsyncIterator[Scene]:
    """Both processes, from their start to their end."""
    upstream = Upstream()
    await upstream.start()
    config = folder / "routes.yaml"
    config.write_text(CONFIG.format(port=upstream.port))
    port, admin_port = free_port(), free_port()
    gateway = await Gateway.start(config, port, admin_port, log=folder / "log")
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Scene(upstream, gateway, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}", session)
    if await gateway.end() != 0:
        raise RuntimeError((folder / "log").read_text())
    await upstream.end()
