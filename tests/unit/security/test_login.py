from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.background import Background
from proxy.errors import BadRequest, Forbidden, IssuerUnavailable, LoginFailed
from proxy.message import Request, Response
from proxy.plan.auth import OidcPlan
from proxy.policy.jws import TokenRefused
from proxy.security import login as login_module
from proxy.security.credentials import AnsweredInstead
from proxy.security.login import Login, own_cookies_kept
from proxy.security.sources import Sources
from tests.unit.security.issuer import Issuer

PAGE = {"Accept": "text/html,*/*"}


class Provider:
    """An identity provider: it lets in whoever the test says, and holds the gateway to the protocol."""

    def __init__(self) -> None:
        self.issuer = Issuer()
        self.url = ""
        self.form: dict[str, str] = {}
        self.authorization = ""
        self.claims: dict[str, Any] = {}
        self.answer: web.Response | None = None
        self.end_session = True

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/jwks":
            return await self.issuer.serve(request)
        if request.path == "/token":
            self.form = dict(parse_qsl(await request.text()))
            self.authorization = request.headers.get("Authorization", "")
            return self.answer or web.json_response({"id_token": self.issuer.token(**self.claims), "access_token": "x"})
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            **({"end_session_endpoint": f"{self.url}/end"} if self.end_session else {}),
        }
        return web.json_response(document)


class Browser:
    """Keeps cookies as a browser would, path and all."""

    def __init__(self) -> None:
        self.jar: dict[str, tuple[str, str]] = {}

    def take(self, response: Response) -> None:
        for line in response.headers.getall("Set-Cookie", ()):
            pair, *attributes = line.split("; ")
            name, _, value = pair.partition("=")
            said = dict(one.partition("=")[::2] for one in attributes)
            assert "HttpOnly" in said
            assert said["SameSite"] == "Lax"
            self.jar[name] = (value, said["Path"])
            if said["Max-Age"] == "0":
                del self.jar[name]

    def cookies(self, path: str) -> str:
        return "; ".join(f"{name}={value}" for name, (value, at) in self.jar.items() if path.startswith(at))


class World:
    def __init__(self, provider: Provider, background: Background, **changes: Any) -> None:
        self.provider = provider
        given: dict[str, Any] = {
            "name": "web",
            "issuer": provider.url,
            "client_id": "shop",
            "client_secret": "the secret",
            "scopes": ("openid", "email"),
            "algorithms": frozenset({"ES256"}),
            "leeway_s": 5.0,
            "base_url": None,
            "callback": "/oauth2/callback",
            "logout": "/oauth2/logout",
            "cookie": "session",
            "keys": (b"k" * 32,),
            "lifetime_s": 3600.0,
            "kept": None,
            **changes,
        }
        self.login = Login(OidcPlan(**given), Sources(background))
        self.browser = Browser()
        self.asked: dict[str, str] = {}

    def request(self, target: str, method: str = "GET", scheme: str = "http", **headers: str) -> Request:
        path, mark, query = target.partition("?")
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if (cookies := self.browser.cookies(path)) and "Cookie" not in headers:
            given.append(("Cookie", cookies))

        async def no_body(limit: int) -> bytes:
            return b""

        return Request(
            method=method,
            raw_target=target,
            path=path,
            query=query,
            has_query=bool(mark),
            headers=CIMultiDictProxy(CIMultiDict(given)),
            read_body=no_body,
            id="1",
            client_ip="192.0.2.1",
            client_port=1,
            scheme=scheme,
            host="shop.example",
            received_at=0.0,
        )

    async def go(self, target: str = "/page?a=b", **options: Any) -> Response:
        """To a page, as one who is not logged in: the answer sends the browser away."""
        with pytest.raises(AnsweredInstead) as sent:
            await self.login.identify(self.request(target, **{**PAGE, **options}))
        self.browser.take(sent.value.response)
        self.asked = dict(parse_qsl(urlsplit(sent.value.response.headers["Location"]).query))
        self.provider.claims = {"iss": self.provider.url, "aud": "shop", "nonce": self.asked["nonce"]}
        return sent.value.response

    async def come_back(self, query: str = "", **options: Any) -> Response:
        response = await self.login.callback(
            self.request(f"/oauth2/callback?{query or 'code=c&state=' + self.asked['state']}", **options)
        )
        self.browser.take(response)
        return response

    async def log_in(self) -> Any:
        await self.go()
        await self.come_back()
        return await self.login.identify(self.request("/page"))


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    one = Provider()
    async with RawTestServer(one.serve) as server:
        one.url = str(server.make_url("")).rstrip("/")
        yield one


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    async with Background() as one:
        yield one


@pytest.fixture
async def world(provider: Provider, background: Background) -> World:
    return World(provider, background)


async def test_a_browser_logs_in_and_comes_back_to_where_it_was(world: World) -> None:
    sent = await world.go("/page?a=b")
    assert sent.status == 302
    assert sent.headers["Cache-Control"] == "no-store"
    assert sent.headers["Location"].startswith(f"{world.provider.url}/auth?")
    assert world.asked["redirect_uri"] == "http://shop.example/oauth2/callback"
    assert (world.asked["response_type"], world.asked["scope"]) == ("code", "openid email")
    world.provider.claims |= {"email": "ann@example.com"}
    back = await world.come_back()
    assert (back.status, back.headers["Location"], back.headers["Cache-Control"]) == (303, "/page?a=b", "no-store")
    assert await world.login.identify(world.request("/page")) == {"sub": "ann", "email": "ann@example.com"}
    assert list(world.browser.jar) == ["session"]
    form = world.provider.form
    challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
    assert (world.asked["code_challenge"], world.asked["code_challenge_method"]) == (challenge, "S256")
    assert (form["grant_type"], form["code"], form["redirect_uri"]) == (
        "authorization_code",
        "c",
        "http://shop.example/oauth2/callback",
    )
    assert world.provider.authorization == "Basic c2hvcDp0aGUrc2VjcmV0"


async def test_what_is_no_page_is_not_sent_anywhere(world: World) -> None:
    for options in (
        {"Accept": "application/json"},
        {**PAGE, "Sec_Fetch_Mode": "cors"},
        {**PAGE, "method": "POST"},
        {**PAGE, "Upgrade": "websocket"},
        {},
    ):
        assert await world.login.identify(world.request("/page", **options)) is None
    await world.go(Accept="*/*", Sec_Fetch_Mode="navigate")


async def test_logins_in_two_tabs_do_not_disturb_each_other(world: World) -> None:
    await world.go("/one")
    first, claims = world.asked, world.provider.claims
    await world.go("/two")
    second = world.provider.claims
    world.provider.claims = claims
    assert (await world.come_back(f"code=c&state={first['state']}")).headers["Location"] == "/one"
    world.provider.claims = second
    assert (await world.come_back()).headers["Location"] == "/two"


async def test_over_tls_no_other_host_can_set_the_cookies(provider: Provider, background: Background) -> None:
    world = World(provider, background, base_url="https://shop.example")
    sent = await world.go(scheme="http")
    assert world.asked["redirect_uri"] == "https://shop.example/oauth2/callback"
    assert sent.headers["Set-Cookie"].startswith("__Secure-session-login-")
    assert "; Secure" in sent.headers["Set-Cookie"]
    back = await world.come_back()
    assert back.headers["Set-Cookie"].startswith("__Host-session=")
    value = world.browser.jar["__Host-session"][0]
    forged = world.request("/page", Cookie=f"session={value}")
    assert await world.login.identify(forged) is None


async def test_only_the_browser_that_began_a_login_ends_it(world: World) -> None:
    await world.go()
    world.browser.jar.clear()
    with pytest.raises(BadRequest, match="not begun here"):
        await world.come_back()


@pytest.mark.parametrize(
    "query", ["code=c", "code=c&state=x", "code=c&state=", "code=c&code=d&state=x", "state=%FF&code=c"]
)
async def test_an_answer_without_a_login_is_refused(query: str, world: World) -> None:
    await world.go()
    with pytest.raises(BadRequest):
        await world.come_back(query)


async def test_a_login_ends_once(world: World) -> None:
    await world.go()
    await world.come_back()
    with pytest.raises(BadRequest):
        await world.come_back()


async def test_a_login_is_not_open_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.go()
    monkeypatch.setattr(login_module, "unix_seconds", lambda: 4_000_000_000)
    with pytest.raises(BadRequest):
        await world.come_back()


async def test_the_answer_of_another_issuer_is_refused(world: World) -> None:
    await world.go()
    with pytest.raises(LoginFailed, match="another issuer"):
        await world.come_back(f"code=c&state={world.asked['state']}&iss=https://evil")


async def test_whom_the_issuer_lets_not_in_is_told_so_without_its_words(world: World) -> None:
    await world.go()
    with pytest.raises(Forbidden) as refused:
        await world.come_back(f"error=access_denied&error_description=<script>&state={world.asked['state']}")
    assert "script" not in refused.value.detail


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "x"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": ["shop", "another"], "azp": "another"},
        {"iss": "https://evil"},
        {"exp": 1},
        {"sub": None},
    ],
)
async def test_a_token_that_is_not_for_this_login_is_refused(claims: dict[str, Any], world: World) -> None:
    await world.go()
    world.provider.claims |= claims
    with pytest.raises(LoginFailed):
        await world.come_back()
    assert "session" not in world.browser.jar


async def test_a_token_that_somebody_else_signed_is_refused(world: World) -> None:
    await world.go()
    forged = Issuer().token(**world.provider.claims)
    world.provider.answer = web.json_response({"id_token": forged})
    with pytest.raises(LoginFailed, match="signature is wrong"):
        await world.come_back()


@pytest.mark.parametrize(
    "answer,error",
    [
        (web.json_response({"error": "invalid_grant"}, status=400), LoginFailed),
        (web.Response(status=500), IssuerUnavailable),
        (web.Response(text="<html>"), IssuerUnavailable),
        (web.json_response([]), LoginFailed),
        (web.json_response({"access_token": "x"}), LoginFailed),
        (web.json_response({"id_token": "x.y.z"}), LoginFailed),
        (web.Response(status=302, headers={"Location": "/token"}), IssuerUnavailable),
    ],
)
async def test_what_the_issuer_answers_may_be_anything(answer: web.Response, error: Any, world: World) -> None:
    await world.go()
    world.provider.answer = answer
    with pytest.raises(error):
        await world.come_back()


async def test_an_issuer_that_is_away_lets_in_who_is_in(provider: Provider, background: Background) -> None:
    world = World(provider, background)
    assert await world.log_in() == {"sub": "ann"}
    world.login._discovery._known = None
    provider.url = "http://gone"
    assert await world.login.identify(world.request("/page")) == {"sub": "ann"}
    world.browser.jar.clear()
    with pytest.raises(IssuerUnavailable):
        await world.login.identify(world.request("/page", **PAGE))


async def test_a_session_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.log_in()
    now = login_module.unix_seconds()
    monkeypatch.setattr(login_module, "unix_seconds", lambda: now + 3600.1)
    assert await world.login.identify(world.request("/page")) is None


async def test_a_changed_cookie_or_one_of_two_is_no_session(world: World) -> None:
    await world.log_in()
    value = world.browser.jar["session"][0]
    changed = ("B" if value[30] != "B" else "C").join([value[:30], value[31:]])
    assert await world.login.identify(world.request("/page", Cookie=f"session={changed}")) is None
    with pytest.raises(TokenRefused, match="several"):
        await world.login.identify(world.request("/page", Cookie=f"session={value}; session=x"))


async def test_a_login_cookie_is_no_session(world: World) -> None:
    await world.go()
    ((value, _),) = world.browser.jar.values()
    assert await world.login.identify(world.request("/page", Cookie=f"session={value}")) is None


@pytest.mark.parametrize(
    "headers,allowed",
    [
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Sec_Fetch_Site": "none"}, True),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Origin": "http://shop.example"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, True),
    ],
)
async def test_a_page_of_another_site_changes_nothing(headers: dict[str, str], allowed: bool, world: World) -> None:
    await world.log_in()
    for options in ({"method": "POST"}, {"Connection": "Upgrade", "Upgrade": "websocket"}):
        request = world.request("/page", **headers, **options)
        if allowed:
            assert await world.login.identify(request) == {"sub": "ann"}
        else:
            with pytest.raises(Forbidden):
                await world.login.identify(request)
    assert await world.login.identify(world.request("/page", **headers)) == {"sub": "ann"}


async def test_only_what_is_about_the_person_or_named_is_kept(provider: Provider, background: Background) -> None:
    for kept, expected in (
        (None, {"sub": "ann", "email": "a@b", "groups": ["x"]}),
        (frozenset({"groups"}), {"sub": "ann", "groups": ["x"]}),
    ):
        world = World(provider, background, kept=kept)
        await world.go()
        provider.claims |= {"email": "a@b", "groups": ["x"]}
        await world.come_back()
        assert await world.login.identify(world.request("/page")) == expected


async def test_more_than_a_browser_keeps_is_no_session(world: World) -> None:
    await world.go()
    world.provider.claims |= {"groups": ["x" * 20] * 300}
    with pytest.raises(LoginFailed, match="name fewer"):
        await world.come_back()


async def test_a_public_client_has_no_secret(provider: Provider, background: Background) -> None:
    await World(provider, background, client_secret=None).log_in()
    assert provider.authorization == ""
    assert provider.form["client_id"] == "shop"


async def test_a_new_secret_lets_in_who_is_in(provider: Provider, background: Background) -> None:
    world = World(provider, background)
    await world.log_in()
    rotated = World(provider, background, keys=(b"n" * 32, b"k" * 32))
    rotated.browser = world.browser
    assert await rotated.login.identify(rotated.request("/page")) == {"sub": "ann"}
    rotated = World(provider, background, keys=(b"n" * 32,))
    assert await rotated.login.identify(world.request("/page")) is None


async def test_a_return_to_a_very_long_address_is_one_to_the_front_page(world: World) -> None:
    await world.go("/page?" + "a" * 2000)
    assert (await world.come_back()).headers["Location"] == "/"


async def test_logging_out_forgets_here_and_there(world: World) -> None:
    await world.log_in()
    response = await world.login.logout(world.request("/oauth2/logout", Sec_Fetch_Site="same-origin"))
    world.browser.take(response)
    assert world.browser.jar == {}
    where = urlsplit(response.headers["Location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == f"{world.provider.url}/end"
    assert dict(parse_qsl(where.query)) == {"client_id": "shop", "post_logout_redirect_uri": "http://shop.example/"}
    with pytest.raises(Forbidden):
        await world.login.logout(world.request("/oauth2/logout", Sec_Fetch_Site="cross-site"))


async def test_an_issuer_that_knows_no_logout_is_not_asked(provider: Provider, background: Background) -> None:
    provider.end_session = False
    world = World(provider, background)
    assert (await world.login.logout(world.request("/x"))).headers["Location"] == "http://shop.example/"


async def test_nobody_behind_us_sees_the_cookies_of_a_login() -> None:
    seen: list[Any] = []

    async def inner(request: Request) -> Response:
        seen.append(request.headers.getall("Cookie", []))
        return Response(200)

    layer = own_cookies_kept({"session": "web"})
    assert layer is not None
    assert own_cookies_kept({}) is None
    for line in (
        "a=1; session=x; b=2",
        "__Host-session=x; __Secure-session-login-abc=y; session-login-1=z",
        "sessions=1; my-session=2",
    ):
        fields = CIMultiDict([("Cookie", line), ("X", "1"), ("cookie", "session=q")])
        request: Any = type("R", (), {"headers": CIMultiDictProxy(fields)})()
        await layer(inner)(request)
        assert request.headers["X"] == "1"
    assert seen == [["a=1; b=2"], [], ["sessions=1; my-session=2"]]
