from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from proxy.fetching import NotFetched, fetch


class Served:
    def __init__(self) -> None:
        self.answer = web.Response(text="{}")
        self.asked: list[Any] = []
        self.url = ""

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.method, request.headers.get("Authorization"), await request.text()))
        return self.answer


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    one = Served()
    async with RawTestServer(one.serve) as server:
        one.url = str(server.make_url("/x"))
        yield one


async def test_a_document_is_got_and_a_form_is_posted(served: Any) -> None:
    assert await fetch(served.url) == b"{}"
    served.answer = web.Response(text="[]")
    assert await fetch(served.url, {"a": "b c"}, ("me", "x:y")) == b"[]"
    assert served.asked == [("GET", None, ""), ("POST", "Basic bWU6eCUzQXk=", "a=b+c")]


async def test_a_redirect_is_not_followed(served: Any) -> None:
    served.answer = web.Response(status=302, headers={"Location": served.url})
    with pytest.raises(NotFetched, match="302") as refused:
        await fetch(served.url)
    assert refused.value.status == 302
    assert len(served.asked) == 1


async def test_so_much_is_read_and_no_more(served: Any) -> None:
    served.answer = web.Response(body=b"x" * 600_000)
    with pytest.raises(NotFetched, match="too large"):
        await fetch(served.url)
