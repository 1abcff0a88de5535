"""Passing through over real sockets: what only several parties together show."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession


@asynccontextmanager
async def forwarder(to: Callable[[], str]) -> AsyncIterator[str]:
    """The address of somebody who hands every connection on to an address that may become known later."""
    writers: list[asyncio.StreamWriter] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = to().removeprefix("http://").partition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writers.extend((writer, back))
        await asyncio.gather(copy(reader, back), copy(there, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in writers:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_a_route_that_leads_back_to_the_gateway_ends_with_508(
    serving: Any, tmp_path: Path, session: ClientSession
) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nserver: {id: edge, max_passes: 3}\nupstreams: {self: '${env.SELF}'}\n"
        "routes: [{name: round, match: '/{rest:path}', proxy: self}]\n"
    )
    known: list[str] = []
    async with forwarder(lambda: known[0]) as address, serving(tmp_path / "routes.yaml", {"SELF": address}) as url:
        known.append(url)
        async with asyncio.timeout(10):
            response = await session.get(f"{url}/x")
            problem = await response.json()
    assert (response.status, problem["code"]) == (508, "loop_detected")
    assert response.headers.getall("Via") == ["1.1 edge"] * 3
