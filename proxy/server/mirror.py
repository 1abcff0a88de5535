"""Shadow traffic: copies of some requests for another upstream, whose answers nobody reads.

The client feels nothing of it: nothing waits for a copy, and its failure is counted.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random

from proxy.errors import UpstreamTooLarge
from proxy.events import Mirrored, MirrorResult, Observer
from proxy.message import BodyStream, Fields, Request
from proxy.plan.nodes import ServerPlan
from proxy.plan.proxying import MirrorPlan
from proxy.plan.upstreams import UpstreamPlan
from proxy.upstream.exchange import Pairs, Upstream, UpstreamRequest, UpstreamResponse

# Of one route. A shadow that does not keep up must not take our memory and connections.
AT_ONCE = 64
# An answer is read so far, so that its connection can be used again; what is longer is broken off.
_ANSWER = 256 * 1024
# A secret of the client's is for whom it was meant.
_CREDENTIALS = frozenset({"authorization", "cookie"})


class Mirror:
    """The copies of one route's requests. `chance` decides which are copied."""

    def __init__(
        self,
        route: str,
        plan: MirrorPlan,
        upstream: Upstream,
        upstream_plan: UpstreamPlan,
        server: ServerPlan,
        observer: Observer,
        chance: Random,
    ) -> None:
        self._plan = plan
        self._upstream = upstream
        self._host_for = upstream_plan.host_for
        self._dropped = frozenset({"host", "x-mirrored"}) | _CREDENTIALS - set(upstream_plan.forward_headers)
        self._mark = ("X-Mirrored", server.id)
        self._route = route
        self._observer = observer
        self._random = chance.random
        self.under_way = 0

    def copy(self, outgoing: UpstreamRequest, request: Request) -> None:
        """Perhaps copy a request that is about to be sent. A body that is still to come is copied as it goes by."""
        if self._random() >= self._plan.share:
            return
        send = partial(self._begin, outgoing.method, outgoing.target, self._headers(outgoing.headers, request))
        stream = outgoing.stream
        if stream is not None:
            if stream.length is not None and stream.length > self._plan.max_body:
                self._tell("skipped")
            else:
                outgoing.stream = Tee(stream, self._plan.max_body, send, partial(self._tell, "skipped"))
        elif outgoing.body is not None and len(outgoing.body) > self._plan.max_body:
            self._tell("skipped")
        else:
            # In the loop's next turn the request itself has been written, if there is a connection for it.
            asyncio.get_running_loop().call_soon(send, outgoing.body)

    def _tell(self, result: MirrorResult) -> None:
        self._observer(Mirrored(self._route, self._plan.upstream, result))

    def _headers(self, headers: Pairs, request: Request) -> Pairs:
        kept = [pair for pair in headers if pair[0].lower() not in self._dropped]
        if (host := self._host_for(request.host)) is not None:
            kept.append(("Host", host))
        kept.append(self._mark)
        return kept

    def _begin(self, method: str, target: str, headers: Pairs, body: bytes | None) -> None:
        if self.under_way >= AT_ONCE:
            self._tell("skipped")
            return
        self.under_way += 1
        copy = UpstreamRequest(method=method, target=target, headers=headers, body=body, max_body=_ANSWER)
        loop = asyncio.get_running_loop()

        def end(result: MirrorResult) -> None:
            self.under_way -= 1
            timer.cancel()
            self._tell(result)

        def done(answer: UpstreamResponse | Exception) -> None:
            end("sent" if isinstance(answer, UpstreamResponse | UpstreamTooLarge) else "failed")

        def give_up() -> None:
            cancel()
            end("failed")

        timer = loop.call_later(self._plan.timeout_s, give_up)
        try:
            cancel = self._upstream.begin(copy, done)
        except Exception:  # whatever it is, the client's own request goes on
            end("failed")


class Tee(BodyStream):
    """A body on its way, copied up to a size. `whole` gets the copy at the end; `given_up` is told if it is longer."""

    __slots__ = ("_copy", "_given_up", "_inner", "_left", "_whole", "length")

    def __init__(
        self, inner: BodyStream, limit: int, whole: Callable[[bytes | None], None], given_up: Callable[[], None]
    ) -> None:
        self.length = inner.length
        self._inner = inner
        self._left = limit
        self._whole = whole
        self._given_up = given_up
        self._copy: list[bytes] | None = []

    async def read(self) -> bytes:
        piece = await self._inner.read()
        if self._copy is None:
            return piece
        self._left -= len(piece)
        if self._left < 0:
            self._copy = None
            self._given_up()
        elif piece:
            self._copy.append(piece)
        else:
            copy, self._copy = self._copy, None
            asyncio.get_running_loop().call_soon(self._whole, b"".join(copy) or None)
        return piece

    def close(self) -> None:
        self._inner.close()

    @property
    def trailers(self) -> Fields:
        return self._inner.trailers
