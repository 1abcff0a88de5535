from proxy.plan.nodes import UpstreamPlan
from proxy.upstream.client import UpstreamClient
from proxy.upstream.exchange import Head, Upstream, UpstreamResponse


async def test_the_client_is_an_upstream(upstream_plan: UpstreamPlan) -> None:
    client: Upstream = UpstreamClient(upstream_plan)
    assert callable(client.send)
    await client.close()  # type: ignore[attr-defined]


def test_an_answers_headers_are_read_when_asked_for_and_names_have_no_case() -> None:
    head = Head(200, [(b"X-A", b"1"), (b"x-a", b"2"), (b"Odd", b"\xff")])
    assert head.headers.getall("X-a") == ["1", "2"]
    assert head.headers["odd"].encode("utf-8", "surrogateescape") == b"\xff"
    assert head.headers is UpstreamResponse(head, b"").headers
    assert head.has_any(frozenset([b"x-a", b"x-c"]))
    assert not head.has_any(frozenset([b"x-b"]))


def test_an_answer_may_be_made_of_text() -> None:
    response = UpstreamResponse.of(200, {"A": "ä"}, b"body")
    assert (response.head.raw_headers, repr(response)) == ([(b"A", "ä".encode())], "<UpstreamResponse 200, 4 bytes>")
