import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import GatewayError, UpstreamInvalid, UpstreamTimeout, UpstreamTooLarge
from proxy.testing.virtual import run_virtually
from proxy.upstream.exchange import UpstreamResponse
from proxy.upstream.http1.connection import Connection, Unanswered
from proxy.upstream.http1.heads import Heads
from proxy.upstream.http1.receiver import Whole


class Transport(asyncio.Transport):
    """Takes what is written and remembers that it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


class Talk:
    """One exchange on a connection without a socket."""

    def __init__(self, is_head: bool = False, max_body: int = 1000, heads: Heads | None = None) -> None:
        self.released: list[bool] = []
        self.connection = Connection(
            1.0, 2.0, lambda _, reusable: self.released.append(reusable), Heads() if heads is None else heads, 0.0
        )
        self.transport = Transport()
        self.connection.connection_made(self.transport)
        self.ask(is_head, max_body)

    def ask(self, is_head: bool = False, max_body: int = 1000) -> None:
        self.future: asyncio.Future[UpstreamResponse] = asyncio.get_running_loop().create_future()
        future = self.future

        def done(answer: UpstreamResponse | Exception) -> None:
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        self.connection.send(b"GET", Whole(done, is_head=is_head, max_body=max_body))

    def hear(self, *chunks: bytes, ends: bool = False) -> "Talk":
        for chunk in chunks:
            self.connection.data_received(chunk)
        if ends:
            self.connection.connection_lost(None)
        return self

    @property
    def answer(self) -> tuple[int, bytes] | type[GatewayError]:
        error = self.future.exception()
        if error is not None:
            assert isinstance(error, GatewayError)
            return type(error)
        response = self.future.result()
        return response.status, response.body


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "data,answer,reusable",
    [
        (OK + b"Content-Length: 2\r\n\r\nab", (200, b"ab"), True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: x\r\n\r\n", (200, b"abc"), True),
        (OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nab", (200, b"ab"), False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", (200, b"ab"), False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b""), True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b""), True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", (200, b""), True),
    ],
)
async def test_an_answer_is_read_by_its_framing(data: bytes, answer: Any, reusable: bool) -> None:
    talk = Talk().hear(data)
    assert talk.answer == answer
    assert talk.released == [reusable]
    assert talk.transport.aborted is not reusable


async def test_an_answer_of_unknown_length_ends_with_the_connection() -> None:
    talk = Talk().hear(OK + b"\r\nab", b"c")
    assert not talk.future.done()
    assert talk.hear(ends=True).answer == (200, b"abc")
    assert talk.released == [False]


async def test_an_answer_to_head_has_no_body_whatever_it_declares() -> None:
    talk = Talk(is_head=True).hear(OK + b"Content-Length: 5000\r\n\r\n")
    assert talk.answer == (200, b"")
    assert talk.released == [True]


async def test_a_connection_is_used_for_one_exchange_after_another() -> None:
    talk = Talk().hear(OK + b"Content-Length: 1\r\n\r\na")
    assert talk.answer == (200, b"a")
    talk.ask()
    assert talk.hear(OK + b"Content-Length: 1\r\n\r\nb").answer == (200, b"b")
    assert talk.released == [True, True]


async def test_hints_are_no_part_of_the_answers_headers() -> None:
    talk = Talk().hear(b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n" + OK + b"A: 1\r\na: 2\r\nContent-Length: 0\r\n\r\n")
    assert list(talk.future.result().headers.items()) == [("A", "1"), ("a", "2"), ("Content-Length", "0")]


@pytest.mark.parametrize(
    "data",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nab",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1, 1\r\n\r\na",
        OK + b"X : 1\r\nContent-Length: 0\r\n\r\n",
        OK + b"X: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
        OK + b"X: \x01\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        OK + b"A: b\r\n" * 300 + b"Content-Length: 0\r\n\r\n",
        OK + b"A: " + b"b" * 200_000,
    ],
)
async def test_what_breaks_http_is_invalid_and_closes_the_connection(data: bytes) -> None:
    talk = Talk().hear(data)
    assert talk.answer is UpstreamInvalid
    assert talk.transport.aborted
    assert talk.released == [False]


async def test_bytes_after_an_answer_are_never_those_of_the_next() -> None:
    talk = Talk().hear(OK + b"Content-Length: 1\r\n\r\na" + OK + b"Content-Length: 1\r\n\r\nb")
    assert talk.answer == (200, b"a")
    assert talk.transport.aborted
    late = Talk().hear(OK + b"Content-Length: 1\r\n\r\na", b"HTTP/1.1 200 OK\r\n")
    assert late.answer == (200, b"a")
    assert late.transport.aborted


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: 1001\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001,
        OK + b"\r\n" + b"x" * 1001,
    ],
)
async def test_a_body_over_the_limit_is_too_large_as_soon_as_that_is_known(data: bytes) -> None:
    talk = Talk().hear(data)
    assert talk.answer is UpstreamTooLarge
    assert talk.transport.aborted


async def test_an_end_before_any_byte_is_told_from_one_midway() -> None:
    assert Talk().hear(ends=True).answer is Unanswered
    assert Talk().hear(OK, ends=True).answer is UpstreamInvalid
    assert Talk().hear(OK + b"Content-Length: 9\r\n\r\nab", ends=True).answer is UpstreamInvalid


def test_the_first_byte_and_the_pauses_have_times_of_their_own() -> None:
    async def silent() -> str:
        talk = Talk()
        await asyncio.sleep(1.5)
        return str(talk.future.exception())

    async def pausing() -> str:
        talk = Talk()
        talk.hear(OK + b"Content-Length: 9\r\n\r\n")
        await asyncio.sleep(1.9)
        talk.hear(b"a")
        await asyncio.sleep(1.9)
        assert not talk.future.done()
        await asyncio.sleep(1)
        assert talk.answer is UpstreamTimeout
        return str(talk.future.exception())

    assert "did not begin to answer within 1 s" in run_virtually(silent())
    assert "paused for 2 s" in run_virtually(pausing())


async def test_a_connection_that_is_closed_leaves_no_timer() -> None:
    talk = Talk()
    talk.connection.close()
    assert talk.transport.aborted
    assert talk.connection._timer is None
    talk.future.cancel()


ANSWERS = st.sampled_from(
    [
        OK + b"Content-Length: 5\r\nX-A: b\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\nX-A: b\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"X-A: b\r\nContent-Length: 5\r\n\r\nhello",
    ]
)


@settings(deadline=None)
@given(ANSWERS, st.lists(st.integers(1, 80), max_size=12))
def test_however_an_answer_is_cut_it_is_the_same(data: bytes, cuts: list[int]) -> None:
    async def work() -> None:
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        talk = Talk().hear(*(data[start:end] for start, end in pairwise(edges)))
        assert talk.answer == (200, b"hello")
        assert talk.future.result().headers["x-a"] == "b"
        assert talk.released == [True]

    asyncio.run(work())


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans())
def test_random_bytes_end_in_an_answer_or_an_error_and_never_in_a_crash(chunks: list[bytes], ends: bool) -> None:
    async def work() -> None:
        talk = Talk()
        for chunk in chunks:
            if not talk.connection.closed:
                talk.hear(chunk)
        if not talk.connection.closed:
            talk.hear(ends=True)
        assert talk.future.done()
        assert isinstance(talk.answer, tuple | type)

    asyncio.run(work())


HEADS = st.sampled_from(
    [
        OK + b"Content-Length: 2\r\n\r\nab",
        OK + b"Content-Length: 2\r\n\r\nabc",
        OK + b"Content-Length: 2\r\n\r\nxy",
        OK + b"Content-Length: 2\r\n\r\na",
        OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nab",
        OK + b"Content-Length: 0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 103 E\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nab",
        b"HTTP/1.1 304 N\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 304 N\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab",
        OK + b"\r\nab",
        b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nab",
    ]
)


@settings(deadline=None)
@given(st.lists(st.tuples(HEADS, st.booleans(), st.sampled_from([1, 1000])), min_size=1, max_size=8))
def test_what_is_known_of_a_head_changes_nothing_of_what_is_heard(asked: list[tuple[bytes, bool, int]]) -> None:
    """Each answer is heard by a connection that has learned from those before it, and by one that knows nothing."""

    async def work() -> None:
        heads = Heads()
        for data, is_head, max_body in asked:
            learned, fresh = Talk(is_head, max_body, heads), Talk(is_head, max_body)
            for talk in (learned, fresh):
                talk.hear(data)
                if not talk.connection.closed:
                    talk.hear(ends=True)
            assert learned.answer == fresh.answer
            if not isinstance(learned.answer, type):  # what is too large is read to its end, if it has come already
                assert learned.released == fresh.released
                assert learned.transport.aborted == fresh.transport.aborted
                assert learned.future.result().head.raw_headers == fresh.future.result().head.raw_headers

    asyncio.run(work())


async def test_a_head_that_is_known_is_not_parsed_again() -> None:
    heads = Heads()
    first = Talk(heads=heads).hear(OK + b"X: 1\r\nContent-Length: 1\r\n\r\na")
    second = Talk(heads=heads).hear(OK + b"X: 1\r\nContent-Length: 1\r\n\r\nb")
    assert (second.answer, second.released) == ((200, b"b"), [True])
    assert second.future.result().head is first.future.result().head


@pytest.mark.parametrize(
    "head,chunks,answer,reusable",
    [
        (b"", (b"he", b"llo"), (200, b"hello"), True),
        (b"", (b"he", b"llo!"), (200, b"hello"), False),
        (b"Connection: close\r\n", (b"he", b"llo"), (200, b"hello"), False),
        (b"", (b"", b"hello"), (200, b"hello"), True),
    ],
)
async def test_the_rest_of_a_body_of_known_length_is_not_parsed(
    head: bytes, chunks: tuple[bytes, bytes], answer: Any, reusable: bool
) -> None:
    talk = Talk().hear(OK + b"Content-Length: 5\r\n" + head + b"\r\n" + chunks[0], chunks[1])
    assert talk.answer == answer
    assert (talk.released, talk.transport.aborted) == ([reusable], not reusable)
    if reusable:
        talk.ask()
        assert talk.hear(OK + b"Content-Length: 1\r\n\r\na").answer == (200, b"a")


async def test_a_body_of_known_length_that_ends_early_is_no_answer() -> None:
    assert Talk().hear(OK + b"Content-Length: 5\r\n\r\nh", b"e", ends=True).answer is UpstreamInvalid
