"""Where WebSocket frames begin and end (RFC 6455 §5.2): so much of the protocol as a relay needs, and no more.

A relay moves bytes and reads none of them. But who wants to say goodbye needs to know whether a frame is under way, as
a Close frame in the midst of another would be part of its payload.
"""

from os import urandom

GOING_AWAY = 1001
_LONGEST_HEAD = 14
_CLOSE = 0x8


class Frames:
    """Follows the frames of one direction. `closed`: a Close frame has begun, after which there is no other."""

    __slots__ = ("_head", "_left", "closed")

    def __init__(self) -> None:
        self._head = b""  # of a frame whose length is not known yet
        self._left = 0
        self.closed = False

    @property
    def between(self) -> bool:
        """Whether the bytes so far end with a frame. It may be part of a message: a control frame may stand there."""
        return not self._left and not self._head

    def feed(self, data: bytes, *, one: bool = False) -> int:
        """Follow more bytes; with `one` only to the end of the frame that is under way. Returns how many that were."""
        at, end = 0, len(data)
        while at < end and not (one and at and self.between):
            if not self._left:
                at = self._begin(data, at)
            if self._left:
                step = min(self._left, end - at)
                self._left -= step
                at += step
        return at

    def _begin(self, data: bytes, at: int) -> int:
        """Read the head of a frame, as far as it is here; returns where its payload begins."""
        known = len(self._head)
        head = self._head + data[at : at + _LONGEST_HEAD - known]
        short = head[1] & 0x7F if len(head) > 1 else 0
        size = 2 + {126: 2, 127: 8}.get(short, 0)
        masked = size + 4 if len(head) > 1 and head[1] & 0x80 else size
        if len(head) < masked:
            self._head = head
            return len(data)
        self._head = b""
        self._left = short if size == 2 else int.from_bytes(head[2:size], "big")
        if head[0] & 0x0F == _CLOSE:
            self.closed = True
        return at + masked - known


def close_frame(code: int, *, masked: bool) -> bytes:
    """A Close frame without words; those of a client are masked (RFC 6455 §5.3)."""
    payload = code.to_bytes(2, "big")
    if not masked:
        return b"\x88\x02" + payload
    mask = urandom(4)
    return b"\x88\x82" + mask + bytes(byte ^ key for byte, key in zip(payload, mask, strict=False))
