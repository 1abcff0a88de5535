"""Who asks, over real sockets: nobody gets through with another's name, or gets another's answer."""

import asyncio
import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import RawTestServer
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.cache.redis import connect
from tests.unit.security.issuer import Issuer, issuing

CONFIG = """
version: 1
upstreams: {u: "${env.U}"}
auth:
  shop: {type: jwt, jwks: "${env.JWKS}", audience: shop, cooldown: 1ms}
  keys: {type: api_key, keys: {a: {secret: ka}, b: {secret: kb}}}
routes:
  - {name: me, match: GET /me, auth: shop, reply: {body: $.claims.sub}}
  - {name: kept, match: GET /kept, auth: [shop, keys], proxy: u, cache: {ttl: 1m}}
  - name: composed
    match: GET /composed
    auth: [shop, keys]
    cache: {ttl: 1m}
    calls: {x: {get: "u:/of/${claims.sub}"}}
    merge: {x: $.x}
  - name: shared
    match: GET /shared
    auth: shop
    calls:
      mine: {get: "u:/of/${claims.sub}", cache: {ttl: 1m}, coalesce: true}
      all: {get: "u:/all", cache: {ttl: 1m}, coalesce: true}
      staff: {get: "u:/staff", when: 'default(claims.staff, false)'}
    merge: {mine: $.mine, all: $.all, staff: $.staff}
  - {name: staff, match: GET /staff, auth: shop, allow: "'admin' in claims.roles", reply: {body: in}}
"""


class World:
    def __init__(self, session: ClientSession, url: str, issuer: Issuer, asked: list[str]) -> None:
        self.session, self.url, self.issuer, self.asked = session, url, issuer, asked

    async def get(self, path: str, token: str = "", **headers: str) -> tuple[int, Any, Any]:
        given = {"Authorization": f"Bearer {token}", **headers} if token else headers
        async with self.session.get(self.url + path, headers=given) as response:
            text = await response.text()
            is_json = "json" in response.headers.get("Content-Type", "")
            return response.status, json.loads(text) if is_json else text, response.headers

    def token(self, **claims: Any) -> str:
        return self.issuer.token(**{"aud": "shop", **claims})


@pytest.fixture
async def world(serving: Any, tmp_path: Path) -> Any:
    asked: list[str] = []

    async def upstream(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        seen = [request.path, request.headers.get("X-API-Key"), request.headers.get("Authorization")]
        return web.json_response(seen, headers={"Cache-Control": "public, max-age=60"})

    (tmp_path / "routes.yaml").write_text(CONFIG)
    async with (
        issuing() as issuer,
        RawTestServer(upstream) as server,
        serving(tmp_path / "routes.yaml", {"U": str(server.make_url("")).rstrip("/"), "JWKS": issuer.url}) as url,
        ClientSession(cookie_jar=DummyCookieJar()) as session,
    ):
        yield World(session, url, issuer, asked)


async def test_a_token_opens_the_door_and_no_other_does(world: Any) -> None:
    assert (await world.get("/me", world.token()))[:2] == (200, "ann")
    for token in (world.token(exp=1), world.token(aud="x"), world.token(nbf=4_000_000_000), world.token()[:-2], "x"):
        status, problem, headers = await world.get("/me", token)
        assert (status, problem["code"]) == (401, "unauthorized")
        assert headers["WWW-Authenticate"] == 'Bearer realm="shop", error="invalid_token"'
    other = Issuer()
    other.rotate("k1")
    assert (await world.get("/me", other.token(aud="shop")))[0] == 401


async def test_the_public_key_signs_nothing(world: Any) -> None:
    def part(value: Any) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    public = world.issuer.keys["k1"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    message = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part({'sub': 'x', 'aud': 'shop', 'exp': 4_000_000_000})}"
    signature = urlsafe_b64encode(hmac.new(public, message.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    assert (await world.get("/me", f"{message}.{signature}"))[0] == 401


async def test_keys_rotate_and_an_outage_changes_nothing(world: Any) -> None:
    assert (await world.get("/me", world.token()))[0] == 200
    world.issuer.rotate("k2")
    assert (await world.get("/me", world.token()))[0] == 200
    good = world.token(sub="bob")
    world.issuer.answer = web.Response(status=503)
    other = Issuer()
    other.rotate("k9")
    assert (await world.get("/me", other.token(aud="shop")))[0] == 401
    assert (await world.get("/me", good))[:2] == (200, "bob")


async def test_two_credentials_in_one_request_are_refused(world: Any) -> None:
    headers = [("Authorization", f"Bearer {world.token()}"), ("Authorization", "Bearer x")]
    async with world.session.get(world.url + "/me", headers=headers) as response:
        assert response.status == 401


@pytest.mark.parametrize("path", ["/kept", "/composed"])
async def test_what_is_kept_of_one_is_not_given_to_another(world: Any, path: str) -> None:
    for _ in range(2):
        for key in ("ka", "kb"):
            status, body, headers = await world.get(path, **{"X-API-Key": key})
            assert status == 200
            assert (body == ["/kept", key, None]) or body == {"x": [f"/of/{key[1]}", None, None]}
            assert headers["Cache-Control"].startswith("private")
            assert "X-API-Key" in headers["Vary"]
    assert len(world.asked) == 2
    assert (await world.get(path))[0] == 401
    assert (await world.get(path, **{"X-API-Key": "kc"}))[0] == 401
    for name in ("ann", "bob"):
        body = (await world.get(path, world.token(sub=name)))[1]
        assert path == "/kept" or body == {"x": [f"/of/{name}", None, None]}
    assert len(world.asked) == 4


async def test_calls_share_what_is_the_same_for_all_and_nothing_else(world: Any) -> None:
    names = ["ann", "bob", "ann", "bob"]
    answers = await asyncio.gather(*[world.get("/shared", world.token(sub=name)) for name in names])
    assert [body["mine"] for _, body, _ in answers] == [[f"/of/{name}", None, None] for name in names]
    assert sorted(world.asked) == ["/all", "/of/ann", "/of/bob"]
    assert {headers["Cache-Control"].partition(",")[0] for _, _, headers in answers} == {"private"}


async def test_a_call_is_made_only_for_whom_its_condition_holds(world: Any) -> None:
    assert (await world.get("/shared", world.token()))[1]["staff"] is None
    assert (await world.get("/shared", world.token(staff=True)))[1]["staff"] == ["/staff", None, None]


async def test_a_condition_lets_in_only_for_whom_it_is_true(world: Any) -> None:
    assert (await world.get("/staff", world.token(roles=["admin"])))[0] == 200
    for roles in (["user"], "admin-not", None, [], {"a": 1}):
        status, problem, _ = await world.get("/staff", world.token(roles=roles))
        assert (status, problem["code"]) == (403, "forbidden")
    assert (await world.get("/staff"))[0] == 401


async def test_keys_in_a_redis_are_given_out_and_taken_back(serving: Any, tmp_path: Path, real_redis: Any) -> None:
    store = connect(real_redis.url)
    (tmp_path / "routes.yaml").write_text(
        "version: 1\n"
        f"auth: {{partners: {{type: api_key, redis: '{real_redis.url}', refresh: 1ms, timeout: 2s}}}}\n"
        "routes: [{name: me, match: GET /me, auth: partners, reply: {body: $.claims}}]\n"
    )
    name = f"proxy-composer:key:{hashlib.sha256(b'the-key').hexdigest()}"
    async with serving(tmp_path / "routes.yaml") as url, ClientSession() as session:

        async def ask(key: str) -> tuple[int, Any]:
            async with session.get(f"{url}/me", headers={"X-API-Key": key}) as response:
                return response.status, await response.json(content_type=None)

        assert (await ask("the-key"))[0] == 401
        await store.set(name, b'{"sub": "acme", "plan": "gold"}')
        assert await ask("the-key") == (200, {"sub": "acme", "plan": "gold"})
        await real_redis.stop()
        assert (await ask("the-key"))[0] == 200
        status, problem = await ask("another")
        assert (status, problem["code"]) == (503, "keys_unavailable")
        await store.aclose()
