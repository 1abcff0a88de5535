import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.background import Background
from proxy.cache.local import LocalStore
from proxy.cache.memory import MemoryStore
from proxy.cache.store import StoreUnavailable
from proxy.errors import GatewayError, UpstreamUnreachable
from proxy.message import BodyStream, Request, Response
from proxy.plan.nodes import RouteCachePlan
from proxy.policy.freshness import Wishes
from proxy.server.cached import OnlyIfCached, cached, forgetting
from proxy.service import stack

PLAN = RouteCachePlan(
    wishes=Wishes(),
    keyed=(),
    query=None,
    tags=(),
    roots=frozenset(),
    max_object=1000,
    lock_s=5.0,
    status_header=True,
    identity="i",
)
Answer = Callable[[Request], Awaitable[Response]]


class Cache:
    """A cached service whose time and whose answers the test gives."""

    def __init__(self, plan: RouteCachePlan = PLAN) -> None:
        self.now = 1_000_000.0
        self.asked: list[Request] = []
        self.headers: dict[str, str] = {"Cache-Control": "max-age=60"}
        self.status = 200
        self.answer: Answer | None = None
        self.events: list[Any] = []
        self.memory = MemoryStore(1024 * 1024)
        self.store = LocalStore(self.memory)
        self.background = Background()
        layer = cached("r", plan, self.store, self.background, self.events.append, lambda: self.now)
        self.serve = stack(self._answer, layer)

    async def _answer(self, request: Request) -> Response:
        self.asked.append(request)
        number = len(self.asked)
        if self.answer is not None:
            return await self.answer(request)
        return Response(self.status, CIMultiDict(self.headers), str(number).encode())

    async def ask(self, method: str = "GET", path: str = "/a", **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.serve(make(method, path, named))

    async def said(self, **headers: str) -> str:
        response = await self.ask(**headers)
        return f"{response.body.decode()} {response.headers['Cache-Status'].removeprefix('proxy-composer; ')}"


async def _no_body(limit: int) -> bytes:
    return b""


def make(method: str = "GET", path: str = "/a", headers: dict[str, str] | None = None) -> Request:
    return Request(
        method=method,
        raw_target=path,
        headers=CIMultiDictProxy(CIMultiDict({"Host": "h", **(headers or {})})),
        read_body=_no_body,
        id="r1",
        client_ip="192.0.2.1",
        client_port=1,
        scheme="http",
        host="h",
        received_at=0.0,
        path=path,
    )


async def turns(number: int = 5) -> None:
    """Let everything that can go on do so."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_an_answer_is_fresh_for_its_lifetime_and_then_asked_for_again() -> None:
    cache = Cache()
    said = [await cache.said()]
    cache.now += 59
    said.append(await cache.said())
    cache.now += 2
    said.append(await cache.said())
    assert said == ["1 fwd=miss; fwd-status=200; stored", "1 hit; ttl=1", "2 fwd=miss; fwd-status=200; stored"]


async def test_an_answer_without_a_date_gets_that_of_its_arrival() -> None:
    cache = Cache()
    await cache.ask()
    cache.now += 30
    response = await cache.ask()
    assert (response.headers["Date"], response.headers["Age"]) == ("Mon, 12 Jan 1970 13:46:40 GMT", "30")


async def test_what_has_a_validator_is_asked_for_by_it() -> None:
    cache = Cache()
    cache.headers = {"Cache-Control": "max-age=60", "ETag": '"a"', "Last-Modified": "Mon, 23 Nov 2020 10:00:00 GMT"}
    await cache.ask()
    cache.now += 61
    cache.status = 304
    assert await cache.said() == "1 fwd=stale; fwd-status=304; stored; ttl=60"
    sent = cache.asked[1].headers
    assert (sent["If-None-Match"], sent["If-Modified-Since"]) == ('"a"', "Mon, 23 Nov 2020 10:00:00 GMT")
    assert await cache.said() == "1 hit; ttl=60"


async def test_a_304_about_another_version_is_not_believed() -> None:
    cache = Cache()
    cache.headers = {"Cache-Control": "max-age=60", "ETag": '"a"'}
    await cache.ask()
    cache.now += 61

    async def odd(request: Request) -> Response:
        asked_by_tag = "If-None-Match" in request.headers
        return Response(
            304 if asked_by_tag else 200, CIMultiDict({"ETag": '"b"', "Cache-Control": "max-age=9"}), b"new"
        )

    cache.answer = odd
    assert (await cache.ask()).body == b"new"
    assert len(cache.asked) == 3


async def test_what_may_not_be_kept_any_more_takes_the_old_one_with_it() -> None:
    cache = Cache(replace(PLAN, wishes=Wishes(stale_if_error_s=600.0)))
    await cache.ask()
    cache.now += 61
    cache.headers = {"Cache-Control": "private"}
    await cache.ask()
    cache.status = 503
    assert (await cache.ask()).status == 503


async def test_an_error_does_not_take_the_old_one_with_it() -> None:
    cache = Cache()
    cache.headers = {"Cache-Control": "max-age=60", "ETag": '"a"'}
    await cache.ask()
    cache.now += 61
    cache.status = 503
    assert (await cache.ask()).status == 503
    cache.status = 304
    assert (await cache.ask()).body == b"1"


@pytest.mark.parametrize("control,stands", [("max-age=60", True), ("max-age=60, must-revalidate", False)])
async def test_a_stale_answer_stands_in_for_an_unreachable_upstream_unless_it_forbids_it(
    control: str, stands: bool
) -> None:
    cache = Cache(replace(PLAN, wishes=Wishes(stale_if_error_s=600.0)))
    cache.headers = {"Cache-Control": control, "ETag": '"a"'}
    await cache.ask()
    cache.now += 61

    async def gone(request: Request) -> Response:
        raise UpstreamUnreachable("u")

    cache.answer = gone
    if stands:
        assert await cache.said() == "1 fwd=stale; fwd-status=502; ttl=-1"
        cache.now += 600
    with pytest.raises(UpstreamUnreachable):
        await cache.ask()


async def test_a_stale_answer_is_renewed_once_behind_the_clients_back() -> None:
    cache = Cache(replace(PLAN, wishes=Wishes(stale_while_revalidate_s=600.0)))
    await cache.ask()
    cache.now += 61
    assert [await cache.said(), await cache.said(method="HEAD")] == ["1 hit; ttl=-1", "1 hit; ttl=-1"]
    await turns()
    assert await cache.said() == "2 hit; ttl=60"
    assert cache.asked[1].method == "GET"


async def test_a_renewal_that_fails_leaves_the_stale_answer(caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(replace(PLAN, wishes=Wishes(stale_while_revalidate_s=600.0)))
    await cache.ask()
    cache.now += 61

    async def gone(request: Request) -> Response:
        raise UpstreamUnreachable("u")

    cache.answer = gone
    for _ in range(2):
        assert (await cache.ask()).body == b"1"
        await turns()
    assert len(cache.asked) == 3
    assert not caplog.messages


async def test_when_the_one_who_went_gives_up_another_goes() -> None:
    cache = Cache()
    gate = asyncio.Event()

    async def waits(request: Request) -> Response:
        await gate.wait()
        return Response(200, CIMultiDict(cache.headers), b"late")

    cache.answer = waits
    first, second, third = (asyncio.ensure_future(cache.ask()) for _ in range(3))  # noqa: TID251 – the test's own
    await turns()
    assert len(cache.asked) == 1
    first.cancel()
    await turns()
    assert len(cache.asked) == 2
    gate.set()
    assert [(await second).body, (await third).body] == [b"late", b"late"]
    assert len(cache.asked) == 2


async def test_an_error_is_everybodys_own() -> None:
    cache = Cache()
    gate = asyncio.Event()

    async def fails(request: Request) -> Response:
        await gate.wait()
        raise UpstreamUnreachable("u")

    cache.answer = fails
    tasks = [asyncio.ensure_future(cache.ask()) for _ in range(3)]  # noqa: TID251 – the test's own
    await turns()
    gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [UpstreamUnreachable] * 3
    assert len(cache.asked) == 3


async def test_who_has_waited_for_the_lock_timeout_goes_by_himself() -> None:
    cache = Cache(replace(PLAN, lock_s=0.001))
    gate = asyncio.Event()

    async def first_waits(request: Request) -> Response:
        if len(cache.asked) == 1:
            await gate.wait()
        return Response(200, CIMultiDict(cache.headers), b"x")

    cache.answer = first_waits
    first = asyncio.ensure_future(cache.ask())  # noqa: TID251 – the test's own
    await turns()
    assert (await cache.ask()).body == b"x"
    assert len(cache.asked) == 2
    gate.set()
    await first


async def test_who_carries_credentials_makes_nobody_else_wait() -> None:
    cache = Cache()
    gate = asyncio.Event()

    async def waits_for_one(request: Request) -> Response:
        if "Authorization" in request.headers:
            await gate.wait()
        return Response(200, CIMultiDict(cache.headers), b"x")

    cache.answer = waits_for_one
    slow = asyncio.ensure_future(cache.ask(Authorization="a"))  # noqa: TID251 – the test's own
    await turns()
    assert (await cache.ask()).body == b"x"
    gate.set()
    await slow
    assert await cache.said() == "x hit; ttl=60"


async def test_of_what_cannot_be_shared_a_clients_own_conditions_go_upstream() -> None:
    cache = Cache()
    cache.headers = {"Cache-Control": "private", "ETag": '"a"'}
    await cache.ask(If_None_Match='"a"')
    cache.status = 304
    assert (await cache.ask(If_None_Match='"a"')).status == 304
    assert ["If-None-Match" in request.headers for request in cache.asked] == [False, True]
    cache.status, cache.headers = 200, {"Cache-Control": "max-age=60"}
    await cache.ask()
    assert await cache.said() == "3 hit; ttl=60"


async def test_a_partial_answer_is_never_kept() -> None:
    cache = Cache(replace(PLAN, wishes=Wishes(ttl_s=60.0)))

    async def partial(request: Request) -> Response:
        return Response(200, CIMultiDict(), b"half", partial=("a",))

    cache.answer = partial
    await cache.ask()
    cache.answer, cache.headers = None, {}
    assert (await cache.ask()).body == b"2"


async def test_only_what_is_here_is_wanted() -> None:
    cache = Cache()
    with pytest.raises(OnlyIfCached):
        await cache.ask(Cache_Control="only-if-cached")
    await cache.ask()
    assert (await cache.ask(Cache_Control="only-if-cached")).body == b"1"


async def test_a_change_elsewhere_makes_what_is_kept_of_its_address_void() -> None:
    cache = Cache()
    await cache.ask()

    async def change(request: Request) -> Response:
        return Response(int(request.headers["Status"]))

    other = stack(change, forgetting(cache.store))
    for method, status, left in (("PUT", "409", 1), ("OPTIONS", "200", 1), ("PUT", "204", 0)):
        await other(make(method, "/a", {"Status": status}))
        assert len(cache.memory) == left, (method, status)


class Cut(BodyStream):
    length = 10

    def __init__(self) -> None:
        self.closed = False

    async def read(self) -> bytes:
        raise GatewayError("cut")

    def close(self) -> None:
        self.closed = True


async def test_a_small_answer_that_breaks_off_is_an_error_and_not_a_half() -> None:
    cache = Cache()
    stream = Cut()
    ended: list[str | None] = []

    async def cut(request: Request) -> Response:
        response = Response(200, CIMultiDict(cache.headers), stream=stream)
        response.at_end(lambda: ended.append(response.error))
        return response

    cache.answer = cut
    with pytest.raises(GatewayError):
        await cache.ask()
    assert (stream.closed, ended, len(cache.memory)) == (True, ["internal_error"], 0)


_CONTROLS = st.lists(
    st.sampled_from(
        ["no-store", "private", "no-cache", "public", "max-age=60", "s-maxage=60", "must-revalidate", "max-age=0"]
    ),
    max_size=3,
).map(", ".join)
_ANSWERS = st.fixed_dictionaries(
    {"Cache-Control": _CONTROLS},
    optional={
        "Vary": st.sampled_from(["*", "Accept", "Cookie", "Authorization"]),
        "Set-Cookie": st.just("a=1"),
        "ETag": st.just('"a"'),
    },
)
_USERS = st.fixed_dictionaries(
    {}, optional={"Authorization": st.sampled_from("ab"), "Cookie": st.sampled_from("ab"), "Accept": st.just("x")}
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(_ANSWERS, _USERS, st.integers(0, 100)), min_size=2, max_size=8), st.sampled_from([None, 30.0])
)
def test_whatever_the_headers_one_users_own_answer_is_never_served_to_another(
    steps: list[tuple[dict[str, str], dict[str, str], int]], ttl_s: float | None
) -> None:
    """Each answer tells whom it was made for and under which headers; whoever else gets it must be allowed to."""

    async def run() -> None:
        cache = Cache(replace(PLAN, wishes=Wishes(ttl_s=ttl_s, stale_if_error_s=600.0, stale_while_revalidate_s=20.0)))
        made: dict[bytes, tuple[dict[str, str], dict[str, str]]] = {}
        for headers, user, later in steps:

            async def answer(
                request: Request, headers: dict[str, str] = headers, user: dict[str, str] = user
            ) -> Response:
                body = str(len(made)).encode()
                made[body] = (headers, user)
                return Response(200, CIMultiDict(headers), body)

            cache.answer = answer
            response = await cache.serve(make(headers=user))
            check(*made[response.body], user)
            await turns()
            cache.now += later

    def check(headers: dict[str, str], maker: dict[str, str], user: dict[str, str]) -> None:
        words = {word.strip() for word in headers["Cache-Control"].split(",")}
        if maker == user and not words & {"no-store", "private"} and "Set-Cookie" not in headers:
            return
        if maker is user:
            return  # made for this very request
        assert not words & {"no-store", "private"}
        assert "Set-Cookie" not in headers
        vary = headers.get("Vary", "")
        assert vary != "*"
        assert not vary or maker.get(vary) == user.get(vary)
        if "Authorization" in maker:
            assert words & {"public", "s-maxage=60", "must-revalidate"}
        if "Cookie" in maker:
            assert words & {"public", "max-age=60", "max-age=0", "s-maxage=60"}

    asyncio.run(run())


async def test_neither_a_hit_nor_a_miss_leaves_cycles_for_the_collector() -> None:
    cache = Cache()
    cache.headers = {"Cache-Control": "max-age=60", "ETag": '"a"', "Vary": "Accept"}
    await cache.ask()
    gc.collect()
    gc.disable()
    try:
        for number in range(100):
            await cache.ask(path=f"/{number}", Accept="x")
            await cache.ask(path=f"/{number}", Accept="x")
        cache.now += 61
        for number in range(100):
            await cache.ask(path=f"/{number}", Accept="x")
        cycles = gc.collect()
    finally:
        gc.enable()
    assert len(cache.asked) == 201
    assert cycles < 50


async def test_a_change_is_done_also_if_nobody_can_say_what_has_become_of_what_was_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = Cache()

    async def purge(tag: str) -> int:
        raise StoreUnavailable("the cache does not answer")

    monkeypatch.setattr(cache.store, "purge", purge)
    assert (await cache.ask("PUT")).status == 200


async def test_what_changes_nothing_leaves_what_is_kept() -> None:
    cache = Cache()
    await cache.ask()
    await cache.ask("OPTIONS")
    assert await cache.said() == "1 hit; ttl=60"


class Large(BodyStream):
    """Without a length, so that it is copied on its way."""

    length = None

    def __init__(self) -> None:
        self.pieces = [b"a", b"b", b""]

    async def read(self) -> bytes:
        return self.pieces.pop(0)

    def close(self) -> None:
        self.pieces = [b""]


async def test_a_streamed_answer_is_renewed_to_its_end() -> None:
    cache = Cache(replace(PLAN, wishes=Wishes(stale_while_revalidate_s=600.0)))
    await cache.ask()
    cache.now += 61

    async def large(request: Request) -> Response:
        return Response(200, CIMultiDict(cache.headers), stream=Large())

    cache.answer = large
    await cache.ask()
    await turns(10)
    assert (await cache.ask()).body == b"ab"


async def test_when_the_client_of_a_streamed_answer_has_gone_one_who_waited_asks_and_the_others_wait_on() -> None:
    cache = Cache()

    async def large(request: Request) -> Response:
        return Response(200, CIMultiDict(cache.headers), stream=Large())

    cache.answer = large
    first = await cache.ask()
    waiting = [asyncio.ensure_future(cache.ask()) for _ in range(3)]  # noqa: TID251 – the test's own
    await turns()
    assert len(cache.asked) == 1
    first.end()
    await turns()
    assert len(cache.asked) == 2
    second = await waiting[0]
    assert second.stream is not None
    assert [piece async for piece in second.stream] == [b"a", b"b"]
    assert [(await task).body for task in waiting[1:]] == [b"ab", b"ab"]
    assert len(cache.asked) == 2
