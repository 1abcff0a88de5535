"""Heads of answers that were parsed before: an upstream repeats itself, and most heads of a second are equal.

What is kept is what the parser said of exactly these bytes, so looking one up is as strict as parsing it. Only the
commonest framing is kept: a final answer to something else than HEAD, with a Content-Length, on a connection that stays
open.
"""

from proxy.upstream.exchange import Head

MAX_KNOWN = 256
MAX_SIZE = 2048


class Heads:
    """Bytes of a head, up to the empty line → the head and the length of its body."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Head, int]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, data: bytes) -> "tuple[Head, bytes] | None":
        """The head and body of an answer that is all of `data`, if its head is known."""
        end = data.find(b"\r\n\r\n")
        known = self._known.get(data[:end]) if end > 0 else None
        if known is None or len(data) - end - 4 != known[1]:
            return None
        return known[0], data[end + 4 :]

    def learn(self, data: bytes, head: Head, length: int) -> None:
        """Remember the head that `data` begins with, as the parser has read it, if data is this one answer."""
        end = data.find(b"\r\n\r\n")
        if 0 < end <= MAX_SIZE and len(data) == end + 4 + length:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()  # dates go by: what was known is of no use any more
            self._known[data[:end]] = (head, length)
