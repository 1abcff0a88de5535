"""A person logs in with a real browser (Chromium) at a real identity provider (oidc-provider, a certified one)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from proxy.gateway import Gateway
from proxy.server.listener import Listener
from proxy.server.sockets import bind
from tests.real_servers import missing, needed

IDP = Path(__file__).parent / "idp"
# Chromium alone, without the services that it asks its maker for.
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
CONFIG = """
version: 1
upstreams: {orders: "${env.ORDERS}"}
auth:
  people:
    type: oidc
    issuer: "${env.ISSUER}"
    client_id: shop
    client_secret: a secret of the client
    scopes: [email, profile]
    session: {secret: "0123456789abcdef0123456789abcdef"}
routes:
  - {name: home, match: GET /, reply: {headers: {Content-Type: text/html}, body: "<h1>Everybody</h1>"}}
  - name: mine
    match: GET /mine
    auth: people
    calls: {orders: {get: "orders:/of/${claims.sub}"}}
    merge: {user: $.claims.email, orders: $.orders}
  - {name: raw, match: "/raw/{rest:path}", auth: people, proxy: orders}
"""


class World:
    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Any] = []

    async def orders(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("Cookie")))
        return web.json_response([7])


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    node, world, bound = needed("node"), World(), bind("localhost", 0)
    if not (IDP / "node_modules").exists():
        missing("the identity provider is not installed (npm ci in tests/browser/idp)")
    world.url = f"http://localhost:{bound.getsockname()[1]}"
    provider = await asyncio.create_subprocess_exec(
        node, str(IDP / "provider.js"), world.url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert provider.stdout is not None
        async with asyncio.timeout(30), RawTestServer(world.orders) as orders:
            issuer = ""
            while not issuer.startswith("http://"):
                issuer = (await provider.stdout.readline()).decode().strip()
            (tmp_path / "routes.yaml").write_text(CONFIG)
            env = {"ISSUER": issuer, "ORDERS": str(orders.make_url("")).rstrip("/")}
            gateway = Gateway(tmp_path / "routes.yaml", env=env)
            await gateway.load("start")
            listener = Listener(gateway.make_adapter(), max_line=8190)
            await listener.open_on(bound)
            yield world
            await listener.close(1)
            await gateway.close()
    finally:
        provider.kill()
        await provider.wait()


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Any]:
    program = needed("chromium")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        context = await browser.new_context()
        yield await context.new_page()
        await browser.close()


async def test_a_person_logs_in_sees_what_is_theirs_and_logs_out(world: World, page: Any, tmp_path: Path) -> None:
    await page.goto(world.url + "/mine?from=here")
    await page.fill("input[name=login]", "ann")
    await page.fill("input[name=password]", "any")
    await page.screenshot(path=tmp_path / "login.png")
    await page.click("button[type=submit]")
    await page.click("button[type=submit]")  # consent
    await page.wait_for_url(world.url + "/mine?from=here")
    assert await page.inner_text("body") == '{"user":"ann@example.com","orders":[7]}'
    await page.screenshot(path=tmp_path / "mine.png")
    (session,) = await page.context.cookies(world.url)
    assert (session["name"], session["httpOnly"], session["sameSite"]) == ("session", True, "Lax")
    assert "ann" not in session["value"]
    assert await page.evaluate("document.cookie") == ""

    status = await page.evaluate("fetch('/raw/x', {method: 'POST'}).then(answer => answer.status)")
    assert status == 200
    assert world.asked == [("/of/ann", None), ("/raw/x", None)]

    await page.goto(world.url + "/")
    await page.evaluate("location.href = '/oauth2/logout'")
    await page.click("button[name=logout]")
    await page.wait_for_url(world.url + "/")
    assert await page.context.cookies(world.url) == []
    assert await page.evaluate("fetch('/mine').then(answer => answer.status)") == 401
    await page.goto(world.url + "/mine")
    assert await page.locator("input[name=login]").count() == 1


async def test_a_page_of_another_site_cannot_use_the_session(world: World, page: Any) -> None:
    await page.goto(world.url + "/mine")
    await page.fill("input[name=login]", "ann")
    await page.fill("input[name=password]", "any")
    await page.click("button[type=submit]")
    await page.click("button[type=submit]")
    await page.wait_for_url(world.url + "/mine")
    world.asked.clear()

    async def evil(request: web.BaseRequest) -> web.StreamResponse:
        form = f"<form method=post action='{world.url}/raw/pay'><input name=amount value=1></form>"
        return web.Response(text=f"{form}<script>document.forms[0].submit()</script>", content_type="text/html")

    # Another site for the browser, not only another origin: the port does not make one.
    async with RawTestServer(evil) as site:
        await page.goto(str(site.make_url("/")).replace("localhost", "127.0.0.1"))
        await page.wait_for_url(world.url + "/raw/pay")
        assert '"status":401' in await page.inner_text("body")
    assert world.asked == []
