import pytest
from multidict import CIMultiDict

from proxy.message import (
    BodyStream,
    Response,
    connection_options,
    end_to_end,
    is_field_value,
    is_token,
    may_trail,
    query_values,
    spellings,
)


def test_what_connection_names_is_hop_by_hop() -> None:
    headers = CIMultiDict([("Connection", "close, X-One"), ("Connection", "x-TWO ,")])
    assert connection_options(headers) == {"close", "x-one", "x-two"}


def test_hop_by_hop_headers_do_not_cross_and_the_rest_keeps_order_and_repeats() -> None:
    headers = CIMultiDict(
        [
            ("A", "1"),
            ("Connection", "X-Hop, close"),
            ("X-Hop", "no"),
            ("Keep-Alive", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("TE", "trailers"),
            ("Proxy-Authorization", "secret"),
            ("Expect", "100-continue"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("A", "2"),
        ]
    )
    crossed = list(end_to_end(headers).items())
    assert crossed == [("A", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("A", "2")]


def test_more_headers_may_be_dropped() -> None:
    assert list(end_to_end(CIMultiDict({"Host": "a", "B": "2"}), drop=("host",))) == ["B"]


@pytest.mark.parametrize(
    "name,holds", [("X-A", True), ("a!#$%&'*+-.^_`|~9", True), ("", False), ("X A", False), ("é", False), ("a:", False)]
)
def test_a_field_name_is_a_token(name: str, holds: bool) -> None:
    assert is_token(name) is holds


@pytest.mark.parametrize(
    "text,holds", [("a b\tc", True), ("", True), ("é", True), ("a\r\nb", False), ("\x00", False), ("\x7f", False)]
)
def test_a_field_value_holds_no_control_character_but_tab(text: str, holds: bool) -> None:
    assert is_field_value(text) is holds


def test_a_query_gives_the_first_and_all_values_of_a_name() -> None:
    first, every = query_values([("a", "1"), ("b", "2"), ("a", "3")])
    assert first == {"a": "1", "b": "2"}
    assert every == {"a": ["1", "3"], "b": ["2"]}


class Pieces(BodyStream):
    def __init__(self, *pieces: bytes) -> None:
        self.length = None
        self.pieces = list(pieces)
        self.closed = 0

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        self.closed += 1


async def test_a_body_in_pieces_is_read_to_its_end() -> None:
    body = Pieces(b"a", b"b")
    assert [piece async for piece in body] == [b"a", b"b"]
    assert body.trailers == []


def test_what_waits_for_the_end_of_an_answer_waits_only_for_one_that_is_streamed() -> None:
    done: list[int] = []
    whole = Response(200, body=b"abc")
    whole.at_end(lambda: done.append(1))
    assert (done, whole.size) == ([1], 3)

    body = Pieces()
    streamed = Response(200, stream=body)
    streamed.at_end(lambda: done.append(2))
    streamed.at_end(lambda: done.append(3))
    streamed.sent = 7
    assert (done, streamed.size) == ([1], 7)
    streamed.end()
    streamed.end()
    assert done == [1, 2, 3]
    assert body.closed


def test_what_describes_a_message_cannot_stand_after_it() -> None:
    assert may_trail("X-Checksum")
    assert not any(map(may_trail, ["Content-Length", "transfer-encoding", "Set-Cookie", "Authorization", "Host"]))


def test_of_a_long_name_the_common_spellings_are_known() -> None:
    assert {"a-b-c-d-e-f", "a_b_c_d_e_f", "a-b_c-d-e-f"} <= spellings(["a-b_c-d-e-f"])
