import asyncio
from typing import Any

from proxy.message import Request, Response


async def test_a_client_that_takes_nothing_of_a_whole_answer_is_cut_off(served: Any) -> None:
    async def large(request: Request) -> Response:
        return Response(200, body=bytes(50_000_000))

    served.serve = large
    served.adapter._send_s = lambda: 0.05
    _, writer = await asyncio.open_connection(*served.address, limit=1)
    writer.transport.pause_reading()
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(10):
        while not served.requests:  # noqa: ASYNC110 – nothing else says that it has begun
            await asyncio.sleep(0.01)
        await served.adapter.wait_idle()
        await served.listener._server.empty.wait()
    writer.transport.abort()
