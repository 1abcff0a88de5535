"""Writes an answer piece by piece, as fast as the client takes it, each piece as soon as it is there.

An answer that breaks off is never made to look whole: its connection is closed before what would end it, or reset where
closing itself would be the end (RFC 9112 §8).
"""

import asyncio
from functools import partial
from typing import cast

from aiohttp import web
from aiohttp.http_writer import StreamWriter
from aiohttp.web_request import BaseRequest

from proxy.errors import GatewayError
from proxy.message import BodyStream, Response, may_trail
from proxy.server.stalling import Watch, break_off

CLIENT_GONE = "client_gone"
CLIENT_STALLED = "client_stalled"


class Answer(web.StreamResponse):
    """aiohttp's response with the headers that it was given: no Content-Type of its own, and bytes as they came."""

    async def _prepare_headers(self) -> None:
        typed = "Content-Type" in self.headers
        await super()._prepare_headers()
        if not typed:
            self.headers.popall("Content-Type", None)

    async def _write_headers(self) -> None:
        if all(value.isascii() for value in self.headers.values()):
            await super()._write_headers()
            return
        # aiohttp leaves out what is not UTF-8, such as the names of files that old servers send in Latin-1.
        request = self._req
        assert request is not None
        version = request.version
        lines = [f"HTTP/{version[0]}.{version[1]} {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        head = "\n".join(lines)
        if head.count("\n") != len(lines) - 1 or "\r" in head or "\0" in head:
            raise ValueError("a header would have broken the answer's framing")
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(head.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n\r\n")


async def send_stream(base: BaseRequest, response: Response, *, close: bool, stall_s: float) -> web.StreamResponse:
    """Write a streamed answer to its end or to where it breaks off, which `response.error` then says."""
    stream = response.stream
    assert stream is not None
    old = base.version < (1, 1)
    if stream.length is not None:
        response.headers["Content-Length"] = str(stream.length)
    if stream.length is not None or old:
        response.headers.popall("Trailer", None)  # there will be none
    answer = Answer(status=response.status, headers=response.headers)
    ends_by_closing = stream.length is None and old
    if close or ends_by_closing:
        answer.force_close()
    try:
        writer = cast(StreamWriter, await answer.prepare(base))
        await _copy(base, stream, writer, response, stall_s)
        await _finish(answer, writer, stream)
    except GatewayError as error:
        response.error = error.code
        answer.force_close()
        break_off(base.transport, reset=ends_by_closing)
    except ConnectionError:
        response.error = CLIENT_GONE
    except asyncio.CancelledError:
        response.error = response.error or CLIENT_GONE
        raise
    return answer


async def _copy(
    base: BaseRequest, stream: BodyStream, writer: StreamWriter, response: Response, stall_s: float
) -> None:
    protocol = base.protocol
    while piece := await stream.read():
        await writer.write(piece, drain=False)
        response.sent += len(piece)
        transport = base.transport
        if protocol.writing_paused and transport is not None:
            watch = Watch(transport, stall_s, partial(_note_stall, response))
            try:
                await writer.drain()
            finally:
                watch.stop()


async def _finish(answer: web.StreamResponse, writer: StreamWriter, stream: BodyStream) -> None:
    if writer.chunked and (fields := [field for field in stream.trailers if may_trail(field[0])]):
        # aiohttp knows no trailers (RFC 9112 §7.1.2): the last chunk is ours, and it is told that there are none.
        writer.chunked = False
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        await writer.write(b"0\r\n" + lines.encode("utf-8", "surrogateescape") + b"\r\n")
    await answer.write_eof()


def _note_stall(response: Response) -> None:
    response.error = CLIENT_STALLED
