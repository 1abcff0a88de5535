"""Real upstream processes are killed, frozen, slowed and corrupted under load: what clients see, what is left.

Each fault has the statuses that it may cause; when it is over, answers are 200 again within `PATIENCE_S` (a bound for a
slow machine: nothing is measured by it), and the gateway has the descriptors that it had before.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from bench.fire import Gateway, free_port
from bench.process import memory_mib

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
PATIENCE_S = 15.0
CONFIG = """
version: 1
server: {{drain_idle: 50ms}}
upstreams:
  shaky: {{urls: ["http://127.0.0.1:{port}"], keepalive: {{idle: 1s}}, timeouts: {{connect: 300ms, first_byte: 300ms}}}}
routes:
  - name: page
    match: GET /page/{{what}}
    calls: {{it: {{get: "shaky:/${{params.what}}", timeout: 500ms}}}}
    merge: $.it
  - name: soft
    match: GET /soft/{{what}}
    calls: {{it: {{get: "shaky:/${{params.what}}", timeout: 500ms, fallback: {{n: 0}}}}}}
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

    def __init__(self, upstream: Upstream, gateway: Gateway, url: str, session: aiohttp.ClientSession) -> None:
        self.upstream = upstream
        self.gateway = gateway
        self._url = url
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
        """Ten answers in a row are what they should be."""
        async with asyncio.timeout(PATIENCE_S):
            well = 0
            while well < 10:
                well = well + 1 if await self.get("/page/ok") == 200 else 0
        assert await self.load("/page/ok") == {200: 60}
        assert await self.load("/passed/ok") == {200: 60}

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.gateway.process.pid}/fd"))

    async def settles_at(self, descriptors: int) -> None:
        """No descriptor is left of the fault: connections that idle too long are closed as others are used."""
        async with asyncio.timeout(PATIENCE_S):
            while self.descriptors() > descriptors:
                assert await self.get("/page/ok") == 200
                await asyncio.sleep(0.05)

    def memory(self) -> float:
        return memory_mib(self.gateway.process.pid)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    upstream = Upstream()
    await upstream.start()
    config = tmp_path / "routes.yaml"
    config.write_text(CONFIG.format(port=upstream.port))
    port = free_port()
    gateway = await Gateway.start(config, port, free_port(), log=tmp_path / "log")
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Scene(upstream, gateway, f"http://127.0.0.1:{port}", session)
    assert await gateway.end() == 0
    await upstream.end()


Break = Callable[[Upstream], None]


@pytest.mark.parametrize(
    "number,statuses", [(signal.SIGKILL, {502}), (signal.SIGSTOP, {504})], ids=["killed", "frozen"]
)
async def test_a_process_that_is_gone_or_frozen(scene: Scene, number: signal.Signals, statuses: set[int]) -> None:
    await scene.recovers()
    before, memory = scene.descriptors(), scene.memory()
    loading = asyncio.get_running_loop().create_task(scene.load("/page/ok", 300))
    scene.upstream.send(number)
    assert set(await loading) <= {200, *statuses}
    assert set(await scene.load("/page/ok")) == statuses
    assert set(await scene.load("/soft/ok")) == {200}, "the fallback"
    assert set(await scene.load("/passed/ok")) == statuses
    if number is signal.SIGKILL:
        await scene.upstream.end()
        await scene.upstream.start()
    else:
        scene.upstream.send(signal.SIGCONT)
    await scene.recovers()
    await scene.settles_at(before)
    assert scene.memory() < memory + 20


@pytest.mark.parametrize(
    "what,composed,passed",
    [("silent", 504, 504), ("corrupt", 502, 502), ("cut", 502, 0), ("drip", 504, 200)],
)
async def test_a_process_that_answers_badly(scene: Scene, what: str, composed: int, passed: int) -> None:
    await scene.recovers()
    before, memory = scene.descriptors(), scene.memory()
    others = asyncio.get_running_loop().create_task(scene.load("/page/ok", 100))
    assert await scene.load(f"/page/{what}", 20) == {composed: 20}
    assert await scene.load(f"/soft/{what}", 20) == {200: 20}
    # What comes slowly but without a pause is passed on; a composite has its own time.
    assert await scene.load(f"/passed/{what}", 10) == {passed: 10}
    assert await others == {200: 100}, "what is asked of the upstream otherwise is not touched"
    await scene.recovers()
    await scene.settles_at(before)
    assert scene.memory() < memory + 20
