"""Reloading while serving: nothing fails, and every answer is wholly from one generation."""

import asyncio
import json
import multiprocessing
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proxy.events import RequestFinished
from proxy.gateway import ConfigRefused, Gateway
from proxy.server.listener import Listener

CONFIG = """
version: 1
upstreams: {{shop: "{shop}"}}
routes:
  - name: page
    match: GET /page
    calls:
      one: {{get: "shop:/{number}/a"}}
      two: {{get: "shop:/{number}/b/${{one.number}}"}}
    merge: {{one: $.one.number, two: $.two.number, here: {number}}}
"""


def hammer(url: str, channel: Connection) -> None:
    """Ask until told to stop; send back how many answers came and what was wrong with any."""
    count, faults = 0, []
    while not channel.poll():
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                answer = json.loads(response.read())
            if len({answer["one"], answer["two"], answer["here"]}) != 1:
                faults.append(f"mixed generations: {answer}")
        except (OSError, urllib.error.HTTPError, ValueError) as error:
            faults.append(repr(error))
        count += 1
    channel.send((count, faults))


@pytest.fixture
async def shop() -> AsyncIterator[str]:
    async def number(request: web.Request) -> web.Response:
        return web.json_response({"number": int(request.match_info["number"])})

    app = web.Application()
    app.router.add_get("/{number}/{rest:.*}", number)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_a_hundred_reloads_under_load_fail_no_request(shop: str, tmp_path: Path) -> None:
    config = tmp_path / "routes.yaml"
    config.write_text(CONFIG.format(shop=shop, number=0))
    answered = asyncio.Event()
    gateway = Gateway(config, [lambda event: answered.set() if isinstance(event, RequestFinished) else None])
    await gateway.load("start")
    pools = gateway.registry.clients()
    adapter = gateway.make_adapter()
    listener = Listener(adapter, max_line=8190)
    host, port = await listener.open("127.0.0.1", 0)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=hammer, args=(f"http://{host}:{port}/page", theirs))
    process.start()
    refused = 0
    for number in range(1, 101):
        if number % 2:
            config.write_text("routes: [broken")
            try:
                await gateway.load("broken")
            except ConfigRefused:
                refused += 1
        config.write_text(CONFIG.format(shop=shop, number=number))
        await gateway.load("test")
        for _ in range(2):  # requests fall between any two reloads, however fast the machine is
            answered.clear()
            await asyncio.wait_for(answered.wait(), 20)
    ours.send("stop")
    count, faults = await asyncio.to_thread(ours.recv)
    await asyncio.to_thread(process.join)
    await listener.close(5)
    kept = gateway.registry.clients()
    await gateway.close()
    assert faults == []
    assert refused == 50
    assert gateway.current.number == 101
    assert count >= 200
    assert kept == pools, "the upstream did not change, so its pool is kept"
