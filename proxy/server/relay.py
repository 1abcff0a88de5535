"""Moves the bytes of one WebSocket between a client and an upstream. Callbacks of the two transports, and no task.

Law: what comes from one side is written to the other at once. While that one's transport is full, nothing more is read
here, so a relay keeps no more than two transports' buffers.

A side that ends takes the other with it: what was written is delivered, the connection is closed behind it, and who
does not close theirs within `LINGER_S` is cut off. Closing at once would be a reset if anything unread had come, and a
reset can take the Close frame away that was sent before it (RFC 6455 §7.1.1).
"""

import asyncio
from collections.abc import Callable

from proxy.server.frames import GOING_AWAY, Frames, close_frame

LINGER_S = 2.0
CLIENT_GONE = "client_gone"
UPSTREAM_GONE = "upstream_gone"


class Side(asyncio.Protocol):
    """One end. `over`: nothing more comes from it; `shut`: nothing more may be written to it; `gone`: neither.

    `told`: it has been sent a Close frame, or the whole frame that stood before one, and what comes for it is dropped.
    """

    __slots__ = (
        "_held",
        "_relay",
        "frames",
        "gone",
        "is_client",
        "over",
        "peer",
        "received",
        "shut",
        "told",
        "transport",
    )

    peer: "Side"
    transport: asyncio.Transport

    def __init__(self, relay: "Relay", *, is_client: bool) -> None:
        self._relay = relay
        self.is_client = is_client
        self.frames = Frames()
        self.received = 0
        self.over = self.shut = self.gone = self.told = self._held = False

    def data_received(self, data: bytes) -> None:
        self._relay.arrived(self, data)

    def eof_received(self) -> bool:
        return self._relay.ended(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._relay.lost(self)

    def pause_writing(self) -> None:
        self.peer.hold()

    def resume_writing(self) -> None:
        self.peer.release()

    def hold(self) -> None:
        """Read nothing until `release`."""
        if not (self._held or self.over or self.transport.is_closing()):
            self._held = True
            self.transport.pause_reading()

    def release(self) -> None:
        if self._held:
            self._held = False
            if not (self.over or self.transport.is_closing()):
                self.transport.resume_reading()

    def write(self, data: bytes) -> None:
        if data and not self.shut and not self.transport.is_closing():
            self.transport.write(data)

    def shut_down(self, *, wholly: bool = False) -> None:
        """Nothing more is written: say so behind what was, and go on reading where the transport can."""
        closes = wholly or self.over or not self.transport.can_write_eof()
        if self.transport.is_closing() or (self.shut and not closes):
            return
        self.shut = True
        if closes:
            self.transport.close()
        else:
            self.transport.write_eof()


class Relay:
    """`begin`, then it runs by itself until both sides are gone, and calls `done`. `error` says why, where it was not
    by a Close frame of either side.
    """

    __slots__ = (
        "_buffered",
        "_done",
        "_idle_s",
        "_last",
        "_leaving",
        "_lingering",
        "_loop",
        "_timer",
        "client",
        "drain_s",
        "error",
        "upstream",
    )

    def __init__(self, *, idle_s: float, drain_s: float, done: "Callable[[Relay], None]") -> None:
        self._loop = asyncio.get_running_loop()
        self._idle_s = idle_s
        self.drain_s = drain_s
        self._done: Callable[[Relay], None] | None = done
        self.error: str | None = None
        self._lingering = self._leaving = False
        self._buffered = 0
        self._last = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.client = Side(self, is_client=True)
        self.upstream = Side(self, is_client=False)
        self.client.peer, self.upstream.peer = self.upstream, self.client

    def __repr__(self) -> str:
        state = "over" if self._done is None else "ending" if self._lingering else "open"
        return f"<Relay {state}, {self.client.received} bytes up, {self.upstream.received} down>"

    def begin(self, head: bytes, from_client: bytes, from_upstream: bytes) -> None:
        """Send the client its 101, then what has come so far, in both directions. Both sides have their transports."""
        self._timer = self._loop.call_at(self._last + self._idle_s, self._look)
        self.client.write(head)
        if from_upstream:
            self.arrived(self.upstream, from_upstream)
        if from_client:
            self.arrived(self.client, from_client)

    def leave(self, error: str) -> None:
        """Tell both sides that we go away, and end. One that is in the midst of a frame gets the rest of it first."""
        if self._leaving or self._done is None:
            return
        self._leaving = True
        if not self._lingering:
            self.error = error
            self._linger()
        for side in (self.client, self.upstream):
            self._say_goodbye(side)

    def cut(self) -> None:
        """End at once."""
        for side in (self.client, self.upstream):
            if not side.gone:
                side.transport.abort()

    # Of the sides.

    def arrived(self, side: Side, data: bytes) -> None:
        self._last = self._loop.time()
        side.received += len(data)
        if self._leaving:
            self._arrived_late(side, data)
            return
        side.frames.feed(data)
        side.peer.write(data)

    def ended(self, side: Side) -> bool:
        """Nothing more comes from a side. Returns whether it can still be written to."""
        side.over = True
        self._end(side)
        return not side.shut and side.transport.can_write_eof()

    def lost(self, side: Side) -> None:
        if side.gone:
            return
        side.over = side.shut = side.gone = True
        self._end(side)
        if side.peer.gone and self._done is not None:
            done, self._done = self._done, None
            if self._timer is not None:
                self._timer.cancel()
            done(self)

    # Ends.

    def _end(self, side: Side) -> None:
        if not self._lingering:
            if not (side.frames.closed or side.peer.frames.closed):
                self.error = CLIENT_GONE if side.is_client else UPSTREAM_GONE
            self._linger()
        if not side.peer.gone:
            side.peer.shut_down()
            if side.gone:
                side.peer.release()  # what it says is dropped, but its end must be heard

    def _arrived_late(self, side: Side, data: bytes) -> None:
        """Bytes while we are leaving: those of a frame under way are passed on, the rest only looked at."""
        peer = side.peer
        if not peer.told:
            size = side.frames.feed(data, one=True)
            peer.write(data[:size])
            data = data[size:]
            self._say_goodbye(peer)
        side.frames.feed(data)
        if side.told and side.frames.closed:
            side.shut_down(wholly=True)  # it has answered

    def _say_goodbye(self, side: Side) -> None:
        if side.told or side.gone or not side.peer.frames.between:
            return
        side.told = True
        if not side.peer.frames.closed:
            side.write(close_frame(GOING_AWAY, masked=not side.is_client))
        if side.frames.closed:
            side.shut_down(wholly=True)  # it had said so already
        side.peer.release()

    def _linger(self) -> None:
        self._lingering = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(LINGER_S, self._look_at_end)

    def _look(self) -> None:
        """The timer of one that is open."""
        due = self._last + self._idle_s
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._look)
        else:
            self.leave("websocket_idle")

    def _look_at_end(self) -> None:
        """The timer of one that ends: who still takes what was written for them gets it."""
        before = self._buffered
        self._buffered = sum(
            side.transport.get_write_buffer_size() for side in (self.client, self.upstream) if not side.gone
        )
        if self._buffered and (not before or self._buffered < before) and not self._leaving:
            self._timer = self._loop.call_later(LINGER_S, self._look_at_end)
        else:
            self.cut()
