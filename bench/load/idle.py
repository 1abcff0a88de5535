"""Opens connections, asks once on each, says so, and holds them until its input ends."""

import asyncio
import sys

from bench.load.client import Client, request_for

_AT_ONCE = 100


async def main(port: int, path: str, connections: int) -> None:
    loop = asyncio.get_running_loop()
    request = request_for(path, port)
    held: list[Client] = []
    lost: list[Client] = []

    async def open_one() -> None:
        done: asyncio.Future[int] = loop.create_future()
        _, client = await loop.create_connection(
            lambda: Client(lambda _, status, __: done.set_result(status), lost.append), "127.0.0.1", port
        )
        client.ask(request)
        if await done != 200:
            raise SystemExit("a wrong answer")
        held.append(client)

    while len(held) < connections:
        await asyncio.gather(*(open_one() for _ in range(min(_AT_ONCE, connections - len(held)))))
    print(len(held) - len(lost), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    _, port_, path_, connections_ = sys.argv
    asyncio.run(main(int(port_), path_, int(connections_)))
