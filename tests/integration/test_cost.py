"""What a request costs, in counts that do not depend on the machine: a slowdown shows here, in review.

The bounds are what is counted now and a little more. Whoever needs to raise one says why.
"""

import asyncio
import gc
import json
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.gateway import Gateway
from proxy.observe.accesslog import access_log
from proxy.observe.metrics import Metrics
from proxy.server.listener import Listener

CONFIG = """
version: 1
upstreams: {u: "${env.U}"}
routes:
  - name: page
    match: GET /page/{id:int}
    calls:
      user: {get: "u:/users/${params.id}", timeout: 1s}
      products: {get: "u:/products", query: {user_id: $.params.id}, timeout: 1s}
    merge:
      id: $.user.id
      name: $.user.name
      products: {$each: $.products, pick: [id, name]}
  - name: fanned
    match: GET /fanned
    calls:
      ids: {get: "u:/ids"}
      ones: {get: "u:/each/${each}", for_each: $.ids}
      many: {get: "u:/batch", query: {id: $.batch}, batch: {from: $.ids, size: 2}, key: $.id}
    merge: {ones: $.ones, many: {$each: $.ids, value: {$lookup: many, key: $.item}}}
  - name: moved
    match: GET /moved
    calls: {big: {get: "u:/big"}}
    merge: {big: $.big}
  - name: passed
    match: /passed/{rest:path}
    proxy: {to: u, path: {strip_prefix: /passed}}
"""
BIG = json.dumps([{"id": number, "text": "x" * 100} for number in range(10_000)]).encode()
BODIES = {
    b"/users/1": b'{"id":1,"name":"Alice","email":"a@example.com"}',
    b"/products?user_id=1": b'[{"id":1,"name":"Laptop","price":1.5},{"id":2,"name":"Phone","price":2.5}]',
    b"/big": BIG,
    b"/ids": b"[1,2,3]",
    **{b"/each/%d" % number: b"%d" % number for number in (1, 2, 3)},
    b"/batch?id=1&id=2": b'[{"id":1},{"id":2}]',
    b"/batch?id=3": b'[{"id":3}]',
}


class Upstream(asyncio.Protocol):
    """Answers at once, with as little as can be counted by mistake."""

    made = 0
    requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        type(self).made += 1
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        type(self).requests += 1
        body = BODIES[data.split(b" ", 2)[1]]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)


class Client:
    """One kept connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def get(self, path: str) -> bytes:
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return await self.reader.readexactly(length)


@asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[Client]:
    (folder / "routes.yaml").write_text(CONFIG)
    Upstream.made = Upstream.requests = 0
    upstream = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    env = {"U": f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}"}
    with open(folder / "access.log", "wb") as log:  # noqa: ASYNC230 – a test that writes a small file holds up nobody
        gateway = Gateway(str(folder / "routes.yaml"), (Metrics(), access_log(log)), env)
        await gateway.load("start")
        listener = Listener(gateway.make_adapter(), max_line=8190)
        reader, writer = await asyncio.open_connection(*await listener.open("127.0.0.1", 0), limit=2**24)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
            await listener.close(1)
            await gateway.close()
            upstream.close()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with _serving(tmp_path) as one:
        yield one


async def count_calls(client: Client, path: str, times: int = 20) -> dict[str, float]:
    """Python functions of the gateway and of aiohttp's server that are called for one request."""
    for _ in range(3):
        await client.get(path)  # what is made once is made
    calls = {"proxy": 0, "aiohttp": 0}

    def see(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            name = frame.f_globals.get("__name__", "").partition(".")[0]
            if name in calls:
                calls[name] += 1

    sys.setprofile(see)
    try:
        for _ in range(times):
            await client.get(path)
    finally:
        sys.setprofile(None)
    return {name: count / times for name, count in calls.items()}


@pytest.mark.parametrize("path,most", [("/page/1", 190), ("/moved", 165), ("/passed/users/1", 135)])
async def test_a_request_calls_no_more_functions_than_it_did(path: str, most: int, client: Client) -> None:
    calls = await count_calls(client, path)
    assert calls["proxy"] <= most, calls


async def test_a_composite_makes_no_task_but_that_of_its_connection(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.get("/page/1")
    loop = asyncio.get_running_loop()
    made: list[str] = []
    create = loop.create_task

    def counting(work: Any, **options: Any) -> Any:
        made.append(work.__qualname__)
        return create(work, **options)

    monkeypatch.setattr(loop, "create_task", counting)
    await client.get("/page/1")
    # aiohttp gives each request a task; from Python 3.12 on it makes it in another way.
    assert [name for name in made if name != "RequestHandler._handle_request"] == []


async def test_requests_one_after_another_share_two_connections(client: Client) -> None:
    for _ in range(10):
        await client.get("/page/1")
    assert (Upstream.made, Upstream.requests) == (2, 20)


@pytest.mark.parametrize("path", ["/page/1", "/passed/users/1", "/fanned"])
async def test_a_request_leaves_nothing_behind(path: str, client: Client) -> None:
    """Neither blocks of memory nor cycles for the collector."""
    for _ in range(50):
        await client.get(path)
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for _ in range(100):
            await client.get(path)
        left = sys.getallocatedblocks() - before
        cycles = gc.collect()
    finally:
        gc.enable()
    assert left < 500  # caches of the interpreter, not something for each request
    assert cycles < 50


async def test_a_large_answer_that_is_moved_is_copied_and_never_decoded(client: Client) -> None:
    await client.get("/moved")
    gc.collect()
    tracemalloc.start()
    try:
        body = await client.get("/moved")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body == b'{"big":' + BIG + b"}"
    # The upstream's copy, the gateway's pieces, their whole, the new body, and the client's own: decoded it is 9 times.
    assert peak < 7 * len(BIG), f"{peak / len(BIG):.1f} times the body"
