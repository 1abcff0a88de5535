from proxy.plan.upstreams import UpstreamPlan
from proxy.upstream.client import UpstreamClient
from proxy.upstream.exchange import Arrived, Client, Head, UpstreamResponse


async def test_the_client_is_an_upstream(upstream_plan: UpstreamPlan) -> None:
    client: Client = UpstreamClient(upstream_plan)
    assert callable(client.send)
    assert callable(client.open)
    await client.close()  # type: ignore[attr-defined]


def test_the_names_of_an_answers_headers_have_no_case() -> None:
    head = Head(200, [(b"X-A", b"1"), (b"x-a", b"2"), (b"Odd", b"\xff")])
    assert head.headers.getall("X-a") == ["1", "2"]
    assert head.headers["odd"].encode("utf-8", "surrogateescape") == b"\xff"
    assert head.headers is UpstreamResponse(head, b"").headers


def test_a_head_is_plain_unless_it_has_a_say_in_what_is_made_of_the_answer() -> None:
    assert Head(200, [(b"Content-Type", b"a"), (b"Etag", b"b")]).plain
    for name in (b"Set-Cookie", b"vary", b"Cache-Control", b"X-PARTIAL", b"content-encoding"):
        assert not Head(200, [(name, b"x")]).plain


def test_an_answer_may_be_made_of_text() -> None:
    response = UpstreamResponse.of(200, {"A": "ä"}, b"body")
    assert (response.head.raw_headers, repr(response)) == ([(b"A", "ä".encode())], "<UpstreamResponse 200, 4 bytes>")


async def test_an_answer_that_is_here_can_be_taken_piece_by_piece() -> None:
    answer = Arrived(UpstreamResponse.of(201, {"A": "1"}, b"body"))
    assert (answer.status, answer.headers["a"], answer.length, answer.whole) == (201, "1", 4, b"body")
    assert [piece async for piece in answer] == [b"body"]
    trailing = Arrived(UpstreamResponse.of(201, {}, b"body"), [("T", "x")])
    assert (trailing.whole, trailing.trailers) == (None, [("T", "x")])
    answer.close()
