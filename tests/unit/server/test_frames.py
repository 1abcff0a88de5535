from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.server.frames import GOING_AWAY, Frames, close_frame


def frame(opcode: int, payload: bytes, *, masked: bool = False, final: bool = True) -> bytes:
    size = len(payload)
    short, more = size, b""
    if size >= 126:
        short, more = (126, size.to_bytes(2, "big")) if size <= 0xFFFF else (127, size.to_bytes(8, "big"))
    mask = b"abcd" if masked else b""
    return bytes([(0x80 if final else 0) | opcode, (0x80 if masked else 0) | short]) + more + mask + payload


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2, 9, 10]),
        st.integers(0, 300) | st.sampled_from([126, 0xFFFF, 0x10000]),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
).map(lambda kinds: [(kind, frame(kind[0], bytes(kind[1]), masked=kind[2], final=kind[3])) for kind in kinds])
Made = list[tuple[tuple[int, int, bool, bool], bytes]]


@given(FRAMES, st.lists(st.integers(0, 70_000), max_size=12))
def test_frames_end_where_they_end_however_they_are_cut(made: Made, cuts: list[int]) -> None:
    frames = [data for _, data in made]
    data = b"".join(frames)
    ends = {0}
    for one in frames:
        ends.add(max(ends) + len(one))
    following, at = Frames(), 0
    for start, end in pairwise(sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})):
        assert following.feed(data[start:end]) == end - start
        at = end
        assert following.between is (at in ends)
    assert not following.closed


@given(FRAMES, st.integers(1, 70_000))
def test_one_frame_is_followed_to_its_end_and_no_further(made: Made, cut: int) -> None:
    frames = [data for _, data in made]
    first = len(frames[0])
    cut = min(cut, first - 1)
    following = Frames()
    following.feed(frames[0][:cut])
    assert following.feed(frames[0][cut:] + b"".join(frames[1:]), one=True) == first - cut
    assert following.between


@pytest.mark.parametrize("masked", [True, False])
def test_a_close_frame_is_noticed_when_its_head_is_whole(masked: bool) -> None:
    data = frame(8, b"\x03\xe8", masked=masked)
    following = Frames()
    following.feed(data[:1])
    assert not following.closed
    following.feed(data[1:])
    assert following.closed
    assert following.between


def test_our_own_close_frames_are_frames() -> None:
    assert close_frame(GOING_AWAY, masked=False) == b"\x88\x02\x03\xe9"
    data = close_frame(GOING_AWAY, masked=True)
    mask, payload = data[2:6], data[6:]
    assert data[:2] == b"\x88\x82"
    assert bytes(one ^ key for one, key in zip(payload, mask, strict=False)) == b"\x03\xe9"
    following = Frames()
    following.feed(data)
    assert (following.closed, following.between) == (True, True)
