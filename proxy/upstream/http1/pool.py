"""The connections to one endpoint: the one used last is used next, so that the others may grow old and be closed."""

import asyncio
from collections import deque
from functools import partial
from ssl import SSLContext
from typing import TypeVar

from proxy.errors import UpstreamBusy
from proxy.plan.upstreams import Endpoint, UpstreamPlan
from proxy.upstream.beginning import begin_by_task
from proxy.upstream.exchange import Cancel, Done, UpstreamRequest, UpstreamResponse
from proxy.upstream.http1.connect import Secure, connect
from proxy.upstream.http1.connection import Connection, Unanswered
from proxy.upstream.http1.heads import Heads
from proxy.upstream.http1.receiver import Whole
from proxy.upstream.http1.streamed import Streamed
from proxy.upstream.http1.wire import encode_request

T = TypeVar("T")

# What may be sent twice when a kept connection turns out to be closed (RFC 9110 §9.2.1, RFC 9112 §9.3.1).
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Pool:
    """At most `max_connections` connections to one endpoint; who finds none free waits in line for one."""

    def __init__(self, plan: UpstreamPlan, endpoint: Endpoint, tls: SSLContext | None) -> None:
        name = (plan.tls.server_name if plan.tls is not None else None) or endpoint.host
        self._plan = plan
        self._endpoint = endpoint
        self._secure = Secure(tls, name) if tls is not None else None
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._connecting = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = self._retired = False
        self._heads = Heads()

    def __repr__(self) -> str:
        return f"<Pool {len(self._open)} open, {len(self._idle)} idle, {len(self._waiting)} waiting>"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def in_flight(self) -> int:
        """Requests that are sent or wait for a connection."""
        return len(self._open) - len(self._idle) + self._connecting + len(self._waiting)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request and wait for its answer. Raises a `GatewayError`; cancelling it closes the connection."""
        if self._closed:
            raise RuntimeError("the pool is closed")
        data = self._encode(request)
        while True:
            connection = self._take() or await self._acquire(self._plan.connect_s)
            kept = connection.used > 0
            try:
                return await self._exchange(connection, data, request)
            except Unanswered:
                if not kept or request.method not in _SAFE:
                    raise
                self._drop_idle()  # they are as old as this one was

    def begin(self, request: UpstreamRequest, done: Done) -> Cancel:
        """The same without a task: the request is on the wire when this returns, if a connection is free."""
        data = self._encode(request)
        connection = self._take()
        if connection is None:
            return begin_by_task(self.send, request, done)
        kept = connection.used > 0
        again: Cancel | None = None

        def ended(answer: UpstreamResponse | Exception) -> None:
            nonlocal again
            if kept and isinstance(answer, Unanswered) and request.method in _SAFE:
                self._drop_idle()
                again = begin_by_task(self.send, request, done)
            else:
                done(answer)

        receiver = Whole(ended, is_head=request.method == "HEAD", max_body=request.max_body)
        connection.send(data, receiver)
        return lambda: connection.cancel(receiver) if again is None else again()

    async def open(self, request: UpstreamRequest) -> Streamed:
        """Send one request and wait for the head of its answer, whose body is then read from what this gives."""
        if self._closed:
            raise RuntimeError("the pool is closed")
        data = self._encode(request)
        # Once a body that cannot be read again has begun, there is no second time.
        repeatable = request.method in _SAFE and request.stream is None
        while True:
            connect_s = self._plan.connect_s if request.limits is None else request.limits.connect_s
            connection = self._take() or await self._acquire(connect_s)
            kept = connection.used > 0
            answer = Streamed(connection, request)
            answer.send(data, request)
            try:
                return await answer.begun()
            except Unanswered:
                if not kept or not repeatable:
                    raise
                self._drop_idle()

    def _encode(self, request: UpstreamRequest) -> bytes:
        target = self._endpoint.base_path + request.target
        authority = self._endpoint.authority
        return encode_request(request.method, target, request.headers, request.body, authority, request.stream)

    async def _exchange(self, connection: Connection, data: bytes, request: UpstreamRequest) -> UpstreamResponse:
        future: asyncio.Future[UpstreamResponse | Exception] = self._loop.create_future()
        receiver = Whole(partial(settle, future), is_head=request.method == "HEAD", max_body=request.max_body)
        connection.send(data, receiver)
        try:
            answer = await future
        except asyncio.CancelledError:
            connection.cancel(receiver)
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _take(self) -> Connection | None:
        """An idle connection that is young enough, the one used last; None if there is none."""
        now = self._loop.time()
        while self._idle:
            connection = self._idle.pop()
            if connection.closed:
                continue
            fresh = (
                now - connection.idle_since < self._plan.keepalive_s and now - connection.born < self._plan.lifetime_s
            )
            if fresh:
                # The one used longest ago: after a rush, what is not needed any more goes one by one.
                if self._idle and now - self._idle[0].idle_since >= self._plan.keepalive_s:
                    surplus = self._idle.pop(0)
                    self._forget(surplus)
                    surplus.close()
                return connection
            self._forget(connection)
            connection.close()
        return None

    async def _acquire(self, connect_s: float) -> Connection:
        """A new connection, or the first that comes free."""
        if len(self._waiting) >= self._plan.max_pending:
            raise UpstreamBusy(f"{len(self._waiting)} requests wait for a connection already")
        deadline = self._loop.time() + self._plan.pool_s
        while len(self._open) + self._connecting >= self._plan.max_connections:
            waiter: asyncio.Future[Connection | None] = self._loop.create_future()
            self._waiting.append(waiter)
            try:
                async with asyncio.timeout_at(deadline):
                    connection = await waiter
            except TimeoutError:
                raise UpstreamBusy(f"no connection came free within {self._plan.pool_s:g} s") from None
            except asyncio.CancelledError:
                self._pass_on(waiter)
                raise
            if connection is not None and not connection.closed:
                return connection
        return await self._connect(connect_s)

    def _pass_on(self, waiter: "asyncio.Future[Connection | None]") -> None:
        """Somebody stopped waiting just as it was their turn: it is the next one's."""
        if waiter.done() and not waiter.cancelled() and (connection := waiter.result()) is not None:
            self._give_back(connection)

    async def _connect(self, limit_s: float) -> Connection:
        self._connecting += 1
        plan = self._plan
        try:
            connection = await connect(self._endpoint, self._secure, limit_s, self._make)
        finally:
            self._connecting -= 1
            if self._waiting and len(self._open) + self._connecting < plan.max_connections:
                self._wake(None)  # a failed attempt makes room
        self._open.add(connection)
        return connection

    def _make(self) -> Connection:
        return Connection(self._plan.first_byte_s, self._plan.idle_s, self._on_released, self._heads, self._loop.time())

    def _on_released(self, connection: Connection, reusable: bool) -> None:
        if reusable and not self._closed:
            self._give_back(connection)
        else:
            self._forget(connection)

    def _give_back(self, connection: Connection) -> None:
        if self._waiting and self._wake(connection):
            return
        if self._retired:
            self._forget(connection)
            connection.close()
        else:
            self._idle.append(connection)

    def _forget(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)  # the upstream closed it
            self._wake(None)

    def _wake(self, connection: Connection | None) -> bool:
        """Let the first in line go, with this connection or to open one; False if nobody waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _drop_idle(self) -> None:
        dropped, self._idle = self._idle, []
        for connection in dropped:
            self._forget(connection)
            connection.close()

    def retire(self) -> None:
        """There will be no more requests: those under way end, and no connection is kept."""
        self._retired = True
        self._drop_idle()

    def close(self) -> None:
        """Close every connection; whoever still waits for an answer gets none."""
        self._closed = True
        for connection in tuple(self._open):
            connection.close()
        self._open.clear()
        self._idle.clear()
        while self._wake(None):
            pass


def settle(future: "asyncio.Future[T]", result: T) -> None:
    """Give a future its result, unless whoever waited has given up."""
    if not future.done():
        future.set_result(result)
