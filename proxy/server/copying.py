"""A body that is read by its client and copied on the way."""

from collections.abc import Awaitable, Callable

from proxy.message import BodyStream, Fields


class Copying(BodyStream):
    """Passes a stream on. Before its end is told, `keep` is given all of it; or else `gave_up` is called, once.

    It is given up if it breaks off, if it is over `limit` bytes (nothing more is ever held), and if it has trailers,
    without which it would not be whole; `gave_up(False)`: its reader has gone, and another one may have it whole.
    """

    __slots__ = ("_gave_up", "_keep", "_left", "_pieces", "_stream", "length")

    def __init__(
        self, stream: BodyStream, limit: int, keep: Callable[[bytes], Awaitable[None]], gave_up: Callable[[bool], None]
    ) -> None:
        self.length = stream.length
        self._stream = stream
        self._left = limit
        self._pieces: list[bytes] = []
        self._keep: Callable[[bytes], Awaitable[None]] | None = keep
        self._gave_up = gave_up

    async def read(self) -> bytes:
        try:
            piece = await self._stream.read()
            if self._keep is not None:
                await self._copy(self._keep, piece)
        except BaseException as error:
            self._give_up(isinstance(error, Exception))
            raise
        return piece

    async def _copy(self, keep: Callable[[bytes], Awaitable[None]], piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0 or (not piece and self._stream.trailers):
            self._give_up(True)
        elif piece:
            self._pieces.append(piece)
        else:
            await keep(b"".join(self._pieces))
            self._keep = None
            self._pieces.clear()

    def close(self) -> None:
        self._stream.close()
        self._give_up(False)

    @property
    def trailers(self) -> Fields:
        return self._stream.trailers

    def _give_up(self, for_good: bool) -> None:
        if self._keep is not None:
            self._keep = None
            self._pieces.clear()
            self._gave_up(for_good)
