"""Sends requests to one upstream over aiohttp's client, within separate limits for each phase.

Phases are waiting for a connection (503), connecting (502, 504 when too slow), the first byte and the pauses in the
body (504). What breaks HTTP or a limit is a 502. Nothing is followed, stored, decompressed or added on the way.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.client_exceptions import ClientConnectorError, ConnectionTimeoutError, ServerDisconnectedError
from yarl import URL

from proxy.errors import (
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamTooLarge,
    UpstreamUnreachable,
)
from proxy.plan.nodes import Endpoint, UpstreamPlan
from proxy.upstream.exchange import UpstreamRequest, UpstreamResponse

_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_MAX_LINE = 32 * 1024


class UpstreamClient:
    """One named upstream: its endpoints in turn, its connections, its limits."""

    def __init__(self, plan: UpstreamPlan) -> None:
        self.plan = plan
        self._turn = 0
        self._in_flight = 0
        self._slots = [asyncio.Semaphore(plan.max_connections) for _ in plan.endpoints]
        # Our own semaphore bounds the connections, so that waiting for one has a time-out of its own.
        self._session = ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=plan.keepalive_s),
            cookie_jar=DummyCookieJar(),
            skip_auto_headers=_AUTOMATIC,
            auto_decompress=False,
            timeout=ClientTimeout(total=None, sock_connect=plan.connect_s),
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_LINE,
        )

    def __repr__(self) -> str:
        return f"<Upstream {self.plan.name}: {len(self.plan.endpoints)} endpoints, {self._in_flight} in flight>"

    @property
    def in_flight(self) -> int:
        """Requests that are sent and not yet answered."""
        return self._in_flight

    async def close(self) -> None:
        await self._session.close()

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        """Send one request and read the whole answer."""
        at = self._turn
        self._turn = (at + 1) % len(self.plan.endpoints)
        await self._admit(self._slots[at])
        self._in_flight += 1
        try:
            return await self._exchange(self.plan.endpoints[at], request)
        finally:
            self._in_flight -= 1
            self._slots[at].release()

    async def _admit(self, slots: asyncio.Semaphore) -> None:
        if not slots.locked():
            await slots.acquire()
            return
        try:
            async with asyncio.timeout(self.plan.pool_s):
                await slots.acquire()
        except TimeoutError:
            raise UpstreamBusy(f"no connection came free within {self.plan.pool_s:g} s") from None

    async def _exchange(self, endpoint: Endpoint, request: UpstreamRequest) -> UpstreamResponse:
        url = URL(f"{endpoint.scheme}://{endpoint.authority}{endpoint.base_path}{request.target}", encoded=True)
        headers = request.headers
        if "Host" not in headers:
            headers["Host"] = endpoint.authority
        async with _translated(), self._answer(url, request) as response:
            _check_head(response)
            body = await self._read(response, request.max_body)
            return UpstreamResponse(response.status, response.headers, body)

    @asynccontextmanager
    async def _answer(self, url: URL, request: UpstreamRequest) -> AsyncIterator[ClientResponse]:
        try:
            async with asyncio.timeout(self.plan.connect_s + self.plan.first_byte_s):
                response = await self._session.request(
                    request.method, url, headers=request.headers, data=request.body, allow_redirects=False
                )
        except ConnectionTimeoutError as error:
            raise UpstreamTimeout(f"no connection within {self.plan.connect_s:g} s", internal=str(error)) from None
        except TimeoutError:
            raise UpstreamTimeout(f"the upstream did not begin to answer within {self.plan.first_byte_s:g} s") from None
        try:
            yield response
        except BaseException:
            response.close()  # whatever is left unread must not meet the next request
            raise
        response.release()

    async def _read(self, response: ClientResponse, limit: int) -> bytes:
        declared = response.content_length
        if declared is not None and declared > limit and response.method != "HEAD":
            raise UpstreamTooLarge(f"the answer has {declared} bytes; at most {limit} are taken")
        chunks: list[bytes] = []
        size = 0
        while True:
            try:
                async with asyncio.timeout(self.plan.idle_s):
                    chunk = await response.content.readany()
            except TimeoutError:
                raise UpstreamTimeout(f"the upstream paused for {self.plan.idle_s:g} s within its answer") from None
            if not chunk:
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)
            size += len(chunk)
            if size > limit:
                raise UpstreamTooLarge(f"the answer is over {limit} bytes")
            chunks.append(chunk)


def _check_head(response: ClientResponse) -> None:
    """Refuse a head that could not be passed on: the parser lets some control characters through."""
    if not 200 <= response.status <= 599:
        raise UpstreamInvalid(f"the upstream answered with status {response.status}, which was not asked for")
    for name, value in response.raw_headers:
        if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in value) or not name.isascii():
            raise UpstreamInvalid("a header of the upstream's answer holds a control character")


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """aiohttp's exceptions as ours. Their text names addresses, so it goes to the log only."""
    try:
        yield
    except ClientConnectorError as error:
        raise UpstreamUnreachable("the upstream could not be reached", internal=str(error)) from None
    except ServerDisconnectedError as error:
        raise UpstreamUnreachable("the upstream closed the connection without an answer", internal=str(error)) from None
    except (ClientError, ValueError) as error:
        raise UpstreamInvalid("the upstream's answer breaks HTTP, or ended early", internal=repr(error)) from None
    except OSError as error:
        raise UpstreamUnreachable("the connection to the upstream broke", internal=str(error)) from None
