"""A gateway as a process of its own, with everything that a user sees of it: exit code, output, sockets."""

import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar

from tests.real_servers import needed

LISTENING = re.compile(r"listening on (https?://[\d.]+:\d+), admin on (http://[\d.]+:\d+)")
PATIENCE_S = 20


class Process:
    """`proxy-composer serve`. `url` and `admin` are known once it listens."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = ""
        self.admin = ""
        self.log: list[dict[str, Any]] = []
        self.other_lines: list[str] = []

    async def wait_for(self, text: str) -> dict[str, Any]:
        """The next record of the program's log whose message holds the text."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self.process.stderr.readline()).decode():
                try:
                    record = json.loads(line)
                except ValueError:
                    self.other_lines.append(line.rstrip("\n"))
                    continue
                self.log.append(record)
                if text in record["message"]:
                    return record
        raise AssertionError(f"the gateway ended without saying {text!r}: {self.other_lines} {self.log}")

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        return await self.wait()

    async def wait(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            await self._drain()
            return await self.process.wait()

    async def _drain(self) -> None:
        assert self.process.stderr is not None
        while line := (await self.process.stderr.readline()).decode():
            self.other_lines.append(line.rstrip("\n"))


class RealRedis:
    """A Redis or Valkey of its own, that can be stopped and started again, and halted so that it does not answer."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            self.program,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
            cwd=self.folder,
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)  # there is no event for it: another process opens its port
                    continue
                writer.close()
                return

    def halt(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    async def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            await process.wait()


@pytest.fixture
async def real_redis(tmp_path: Path) -> AsyncIterator[RealRedis]:
    program = needed("valkey-server", "redis-server")
    server = RealRedis(program, tmp_path)
    await server.start()
    yield server
    await server.stop()


Start = Callable[..., Coroutine[Any, Any, Process]]


@pytest.fixture
async def start_gateway() -> AsyncIterator[Start]:
    started: list[Process] = []

    async def start(config: Path, *arguments: str, listens: bool = True) -> Process:
        ports = () if "--port" in arguments else ("--port", "0", "--admin-port", "0")
        process = Process(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "proxy", "serve", "--config", str(config), *ports, *arguments),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )
        started.append(process)
        if listens:
            record = await process.wait_for("listening on")
            found = LISTENING.search(record["message"])
            assert found is not None
            process.url, process.admin = found.groups()
        return process

    yield start
    for one in started:
        if one.process.returncode is None:
            one.process.kill()
        await one.process.communicate()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        yield session
