"""An upstream as a process of its own, for faults that only a real one has: `python upstream.py PORT`.

`/ok` answers; `/silent` never; `/corrupt` with no HTTP; `/cut` with half a body and a reset; `/drip` a byte at a time.
"""

import asyncio
import socket
import struct
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
            if path == b"/silent":
                await asyncio.Event().wait()
            elif path == b"/corrupt":
                writer.write(b"\x00\xff not HTTP \x80\r\n\r\n")
            elif path == b"/cut":
                writer.write(HEAD + b'{"n"')
                await writer.drain()
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            elif path == b"/drip":
                for byte in HEAD + b'{"n":1}':
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.05)
            else:
                writer.write(HEAD + b'{"n":1}')
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    async with await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1])) as server:
        print("ready", flush=True)  # noqa: T201 – for whoever started it
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
