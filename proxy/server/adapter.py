"""Between aiohttp's messages and ours: the one place of the data path that knows both."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from itertools import count
from os import urandom

from aiohttp import web
from aiohttp.web_request import BaseRequest
from multidict import CIMultiDict

from proxy.clock import monotonic
from proxy.errors import GatewayError, reason
from proxy.events import Observer, RequestFinished
from proxy.message import Headers, Request, Response
from proxy.server.body import ClientBody
from proxy.server.framing import fault_of
from proxy.server.gate import Gate
from proxy.server.hops import Networks, ReadWay, is_trusted, read_x_forwarded
from proxy.server.stack import problem_response
from proxy.server.streaming import Answer, send_stream
from proxy.server.tunnels import Tunnels
from proxy.server.whole import WholeAnswer
from proxy.service import Service

_REQUEST_ID = re.compile(r"[0-9A-Za-z._:-]{1,128}")
SERVER = "proxy-composer"
_PROCESS = urandom(10).hex()
_NUMBERS = count()


def make_id() -> str:
    """A request id that no other request has, in this process or another; it is a name and no secret."""
    return f"{_PROCESS}{next(_NUMBERS):012x}"


class Adapter:
    """Turns one aiohttp request into ours, has it served, and writes the answer."""

    def __init__(
        self,
        service: Service,
        *,
        trusted: Callable[[], Networks],
        body_s: Callable[[], float],
        observer: Observer,
        send_s: Callable[[], float] = lambda: 60.0,
        gate: Gate | None = None,
        read_way: Callable[[], ReadWay] = lambda: read_x_forwarded,
    ) -> None:
        self._service = service
        self.trusted = trusted
        self._read_way = read_way
        self._body_s = body_s
        self._send_s = send_s
        self._observer = observer
        self.gate = Gate(observer) if gate is None else gate
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False
        self.tunnels = Tunnels(observer)

    @property
    def in_flight(self) -> int:
        """Requests that are not answered yet."""
        return self._in_flight

    async def wait_idle(self) -> None:
        """Wait until every request has its answer."""
        await self._idle.wait()

    async def __call__(self, base: BaseRequest) -> web.StreamResponse:
        self._in_flight += 1
        self._idle.clear()
        try:
            if (fault := fault_of(base)) is not None:
                refused = self.refuse(base, fault)
                return WholeAnswer(refused.status, refused.headers, refused.body, length=None, close=True)
            body = ClientBody(base, self._body_s)
            request = self._request(base, body)
            gate = self.gate
            if gate.active < gate.limit:
                gate.active += 1
            elif (shed := await gate.wait(base)) is not None:
                return shed
            try:
                response = await self._service(request)
            finally:
                gate.active -= 1
                if gate.waiting:
                    gate.leave()
            if response.stream is not None:
                if response.status == 101:
                    self._own_headers(request, response)
                    return self.tunnels.open(base, request, response)
                return await self._stream(base, request, response, body)
            await body.settle()
            return self._answer(base, request, response)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    def refuse(self, base: BaseRequest, error: GatewayError) -> Response:
        """The answer to what aiohttp's parser refused: no request was made of it, but it is seen all the same."""
        peer, port = _peer(base)
        request = Request(
            method=base.method if base.method != "UNKNOWN" else "",
            raw_target="",
            headers=base.headers,
            read_body=ClientBody(base, self._body_s).read,
            id=make_id(),
            client_ip=peer,
            client_port=port,
            scheme=base.scheme,
            host="",
            received_at=monotonic(),
        )
        response = problem_response(error, request)
        response.headers["X-Request-Id"] = request.id
        response.headers["Server"] = SERVER
        self._observer(RequestFinished(request, response, 0.0, 0))
        return response

    def _request(self, base: BaseRequest, body: ClientBody) -> Request:
        headers = base.headers
        connection = base.protocol
        peer, port = getattr(connection, "peer", None) or _peer(base)
        client_ip, scheme, host = peer, base.scheme, headers.get("Host", "")
        origin = getattr(connection, "origin", None)
        if origin is not None and origin.secure:
            scheme = "https"
        way = None
        trusted = self.trusted()
        if trusted and is_trusted(peer, trusted):
            way = self._read_way()(peer, headers, trusted)
            client_ip, scheme, host = way.chain[0], way.scheme or scheme, way.host or host
        given = headers.get("X-Request-Id", "")
        return Request(
            method=base.method,
            raw_target=base.raw_path,
            headers=headers,
            read_body=body.read,
            open_body=body.open,
            inform=partial(inform, base) if base.version >= (1, 1) else None,
            can_switch=base.version >= (1, 1),
            id=given if given and _REQUEST_ID.fullmatch(given) else make_id(),
            client_ip=client_ip,
            client_port=port,
            scheme=scheme,
            host=host,
            received_at=monotonic(),
            way=way,
            cert=getattr(connection, "cert", None),
        )

    def _answer(self, base: BaseRequest, request: Request, response: Response) -> web.StreamResponse:
        headers = self._own_headers(request, response)
        close = response.close or self.draining
        if response.chunked and base.version >= (1, 1):
            chunked = _Answer(status=response.status, headers=headers, body=response.body)
            chunked.enable_chunked_encoding()
            if close:
                chunked.force_close()
            return chunked
        # What the upstream said of the length holds for the answer to HEAD; otherwise the body is what it is.
        declared = headers.popall("Content-Length", None)
        length = int(declared[0]) if declared and base.method == "HEAD" and not response.body else None
        return WholeAnswer(response.status, headers, response.body, length=length, close=close, stall_s=self._send_s())

    async def _stream(
        self, base: BaseRequest, request: Request, response: Response, body: ClientBody
    ) -> web.StreamResponse:
        self._own_headers(request, response)
        try:
            close = response.close or self.draining
            return await send_stream(base, response, close=close, stall_s=self._send_s())
        finally:
            response.end()
            await body.settle()

    def _own_headers(self, request: Request, response: Response) -> CIMultiDict[str]:
        headers = response.headers
        headers["X-Request-Id"] = request.id
        headers.setdefault("Server", SERVER)
        return headers


class _Answer(Answer, web.Response):
    """An answer that is all here, and whose length is not to be told."""


def inform(base: BaseRequest, status: int, headers: Headers) -> None:
    """Send the client an interim answer (RFC 9110 §15.2). One that has gone hears nothing."""
    transport = base.transport
    if transport is not None and not transport.is_closing():
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        transport.write(f"HTTP/1.1 {status} {reason(status)}\r\n{fields}\r\n".encode("utf-8", "surrogateescape"))


def _peer(base: BaseRequest) -> tuple[str, int]:
    return peer_of(base.transport)


def peer_of(transport: asyncio.BaseTransport | None) -> tuple[str, int]:
    """The client's address and port."""
    peer = transport.get_extra_info("peername") if transport is not None else None
    return (str(peer[0]).removeprefix("::ffff:"), int(peer[1])) if isinstance(peer, tuple) else ("", 0)
