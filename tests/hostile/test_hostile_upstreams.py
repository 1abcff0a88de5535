"""What upstreams try: an answer leads nowhere, splits nothing, fills no memory, and tells no client about another."""

import json
from typing import Any

import pytest
from aiohttp import web

from tests.hostile.test_hostile_clients import ESCAPES, HOSTS, outside


@pytest.mark.parametrize(
    "value", [*ESCAPES, "../../admin", "..\\admin", "a\r\nX-Evil: 1", "", ".", "a\0", {"a": 1}, None]
)
async def test_what_an_answer_says_stays_in_its_place_in_the_next_path(value: Any, world: Any) -> None:
    world.answers["/inside/first"] = web.json_response({"next": value})
    world.answers["/inside/ids"] = web.json_response([value, "ok"])
    await world.get("/second")
    await world.get("/each")
    paths = [path for _, path, _ in world.seen]
    assert [path for path in paths if outside(path)] == []
    assert all("X-Evil" not in headers for _, _, headers in world.seen)


@pytest.mark.parametrize("value", HOSTS)
async def test_what_an_answer_says_chooses_nobody_who_is_asked(value: str, world: Any, canary_port: int) -> None:
    value = value.format(p=canary_port)
    world.answers["/inside/first"] = web.json_response({"next": value})
    world.answers["/inside/ids"] = web.json_response([value])
    await world.get("/second")
    await world.get("/each")
    assert world.canary == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int, world: Any, canary_port: int) -> None:
    headers = {
        "Location": f"http://127.0.0.1:{canary_port}/latest/meta-data",
        "Refresh": f"0; url=http://127.0.0.1:{canary_port}",
    }
    for path in ("/inside/q", "/inside/x"):
        world.answers[path] = web.Response(status=status, headers=headers)
    assert (await world.get("/query?v=1"))[0] == 502
    assert (await world.get("/passed/x"))[0] == status
    assert world.canary == []


@pytest.mark.parametrize("target,path", [("/query?v=1", "/inside/q"), ("/kept-composite", "/inside/seen")])
async def test_a_bomb_is_not_unpacked_further_than_the_limit(target: str, path: str, world: Any, a_bomb: bytes) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    world.answers[path] = web.Response(body=a_bomb, headers=headers)
    status, _, body = await world.get(target)
    assert (status, json.loads(body)["code"]) == (502, "upstream_too_large")


async def test_what_was_for_one_with_a_cookie_is_not_for_all(world: Any) -> None:
    turns = iter(range(1, 10))

    def answer() -> web.Response:
        headers = {"Set-Cookie": f"session={next(turns)}", "Cache-Control": "public, max-age=60"}
        return web.json_response([], headers=headers)

    world.answers["/inside/kept"] = answer
    assert b"session=1" in (await world.get("/kept"))[1]
    assert b"session=2" in (await world.get("/kept"))[1]


@pytest.mark.parametrize("vary", ["*", "X-A, *", "User-Agent, X-A", "X-A\t", "x-a"])
async def test_vary_is_taken_at_its_word(vary: str, world: Any) -> None:
    def answer() -> web.Response:
        return web.json_response(len(world.seen), headers={"Vary": vary})

    world.answers["/inside/kept"] = answer
    for number in range(3):
        assert (await world.get("/kept", f"X-A: {number}", f"User-Agent: {number}"))[2] == str(number + 1).encode()
    assert len(world.seen) == 3


async def test_the_suite_would_see_it_if_an_answer_led_somewhere(world: Any) -> None:
    world.answers["/inside/first"] = web.json_response({"next": "ok"})
    await world.get("/second")
    assert [path for _, path, _ in world.seen] == ["/inside/first", "/inside/users/ok"]
    assert outside("/inside/users/..%252f") or outside("/inside/../admin")
    assert not outside("/inside/users/ok")
