"""Sends the body of a request piece by piece, while its answer is awaited: as fast as the upstream takes it."""

import asyncio
from collections.abc import Callable

from proxy.errors import BadRequest, GatewayError
from proxy.message import BodyStream
from proxy.upstream.http1.connection import Connection


class Upload:
    """Begins at once. `sent` is told of the end, `failed` of why there is none; after `stop` neither is."""

    __slots__ = ("_body", "_connection", "_failed", "_sent", "_task", "done")

    def __init__(
        self,
        connection: Connection,
        body: BodyStream,
        sent: Callable[[], None] | None,
        failed: Callable[[Exception], None],
    ) -> None:
        self._connection = connection
        self._body = body
        self._sent = sent
        self._failed = failed
        self.done = False
        self._task = asyncio.get_running_loop().create_task(self._send())

    def stop(self) -> None:
        """The rest is not wanted any more."""
        self.done = True
        self._connection.stop_sending()
        self._task.cancel()

    async def _send(self) -> None:
        try:
            await (self._send_chunks() if self._body.length is None else self._send_pieces(self._body.length))
        except asyncio.CancelledError:
            raise
        except ConnectionError:
            self.done = True  # of the upstream: the connection tells it, and may have an answer all the same
            self._connection.stop_sending()
        except Exception as error:  # whatever reading raised is the business of whoever waits for the answer
            self.done = True
            self._failed(error if isinstance(error, GatewayError) else _defect(error))
        else:
            self.done = True
            self._connection.sent()
            if self._sent is not None:
                self._sent()

    async def _send_chunks(self) -> None:
        """RFC 9112 §7.1."""
        while piece := await self._body.read():
            await self._connection.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await self._connection.write(b"0\r\n\r\n")

    async def _send_pieces(self, length: int) -> None:
        while piece := await self._body.read():
            length -= len(piece)
            if length < 0:
                break
            await self._connection.write(piece)
        if length:
            raise BadRequest("the body has not the length that was declared")


def _defect(error: Exception) -> GatewayError:
    return GatewayError("something went wrong here", internal=f"reading a request's body: {error!r}")
