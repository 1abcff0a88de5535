import pytest

from proxy.errors import UpstreamInvalid
from proxy.message import BodyStream
from proxy.server.copying import Copying


class Pieces(BodyStream):
    length = None

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)
        self.closed = False
        self.after: list[tuple[str, str]] = []

    async def read(self) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closed = True

    @property
    def trailers(self) -> list[tuple[str, str]]:
        return self.after


class Copy:
    def __init__(self, pieces: Pieces, limit: int) -> None:
        self.kept: list[bytes] = []
        self.given_up: list[bool] = []
        self.stream = Copying(pieces, limit, self.keep, self.give_up)

    async def keep(self, body: bytes) -> None:
        self.kept.append(body)

    def give_up(self, for_good: bool) -> None:
        self.given_up.append(for_good)


async def test_what_is_read_is_kept_before_its_end_is_told() -> None:
    copy = Copy(Pieces(b"ab", b"c"), 3)
    assert [await copy.stream.read() for _ in range(2)] == [b"ab", b"c"]
    assert copy.kept == []
    assert [await copy.stream.read() for _ in range(2)] == [b"", b""]
    copy.stream.close()
    assert (copy.kept, copy.given_up) == ([b"abc"], [])


async def test_over_the_limit_it_goes_on_without_a_copy() -> None:
    copy = Copy(Pieces(b"ab", b"cd"), 3)
    assert [piece async for piece in copy.stream] == [b"ab", b"cd"]
    assert (copy.kept, copy.given_up) == ([], [True])
    assert copy.stream._pieces == []


async def test_what_breaks_off_or_is_closed_is_not_kept() -> None:
    copy = Copy(Pieces(b"ab", UpstreamInvalid("cut")), 9)
    await copy.stream.read()
    with pytest.raises(UpstreamInvalid):
        await copy.stream.read()
    assert (copy.kept, copy.given_up) == ([], [True])
    pieces = Pieces(b"ab")
    copy = Copy(pieces, 9)
    await copy.stream.read()
    copy.stream.close()
    assert (copy.kept, copy.given_up, pieces.closed) == ([], [False], True)


async def test_what_has_trailers_would_not_be_whole_without_them() -> None:
    pieces = Pieces(b"ab")
    pieces.after = [("X-Sum", "1")]
    copy = Copy(pieces, 9)
    assert [piece async for piece in copy.stream] == [b"ab"]
    assert (copy.kept, copy.given_up, copy.stream.trailers) == ([], [True], [("X-Sum", "1")])
