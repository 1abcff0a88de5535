"""A gateway as a process of its own, with everything that a user sees of it: exit code, output, sockets."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar

LISTENING = re.compile(r"listening on (http://[\d.]+:\d+), admin on (http://[\d.]+:\d+)")
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
