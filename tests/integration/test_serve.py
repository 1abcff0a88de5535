"""`serve` as a process: how it starts, takes a changed file, and stops."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

REPLY = "version: 1\nroutes:\n  - {{name: hello, match: GET /, reply: {{body: {{said: {said}}}}}}}\n"


def write(path: Path, said: str) -> None:
    path.write_text(REPLY.format(said=said))


async def said(session: ClientSession, url: str) -> str:
    async with session.get(url) as response:
        body = await response.json()
        return str(body["said"])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    write(path, "one")
    return path


async def test_a_missing_config_is_exit_2_with_the_problem_and_no_listener(start_gateway: Any, tmp_path: Path) -> None:
    gateway = await start_gateway(tmp_path / "gone.yaml", listens=False)
    assert await gateway.wait() == 2
    assert any("cannot read" in line and "unreadable-file" in line for line in gateway.other_lines)


async def test_a_config_with_errors_is_exit_2_and_shows_every_problem(start_gateway: Any, config: Path) -> None:
    config.write_text("version: 1\nrotes: []\nroutes: [{name: a, match: GET /a, reply: {}, timeout: 3}]\n")
    gateway = await start_gateway(config, listens=False)
    assert await gateway.wait() == 2
    text = "\n".join(gateway.other_lines)
    assert "did you mean 'routes'?" in text
    assert "3 has no unit" in text
    assert "\x1b" not in text, "colour is for terminals"


async def test_a_port_in_use_is_exit_2_and_one_line(start_gateway: Any, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        gateway = await start_gateway(config, "--port", port, "--admin-port", "0", listens=False)
        assert await gateway.wait() == 2
    plain = [line for line in gateway.other_lines if not line.startswith("{")]
    assert len(plain) == 1
    assert f"127.0.0.1:{port}" in plain[0]
    assert "in use" in plain[0]


async def test_an_edit_in_place_changes_the_answer(start_gateway: Any, session: ClientSession, config: Path) -> None:
    gateway = await start_gateway(config)
    assert await said(session, gateway.url) == "one"
    write(config, "two")
    await gateway.wait_for("generation 2 serves")
    assert await said(session, gateway.url) == "two"


async def test_an_editor_that_renames_changes_the_answer(
    start_gateway: Any, session: ClientSession, config: Path
) -> None:
    gateway = await start_gateway(config)
    for number, word in enumerate(("two", "three"), 2):
        write(config.with_suffix(".new"), word)
        os.replace(config.with_suffix(".new"), config)
        await gateway.wait_for(f"generation {number} serves")
        assert await said(session, gateway.url) == word


async def test_a_swapped_symlink_of_a_config_map_changes_the_answer(
    start_gateway: Any, session: ClientSession, tmp_path: Path
) -> None:
    # Kubernetes: routes.yaml → ..data/routes.yaml, ..data → ..2026_1; an update renames a new ..data over the old.
    for name, word in (("..v1", "one"), ("..v2", "two")):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "routes.yaml", word)
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "routes.yaml").symlink_to("..data/routes.yaml")
    gateway = await start_gateway(tmp_path / "routes.yaml")
    assert await said(session, gateway.url) == "one"
    (tmp_path / "..data_tmp").symlink_to("..v2")
    os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
    await gateway.wait_for("generation 2 serves")
    assert await said(session, gateway.url) == "two"


async def test_a_new_include_is_taken_and_watched(start_gateway: Any, session: ClientSession, config: Path) -> None:
    config.write_text("version: 1\ninclude: conf.d/*.yaml\n")
    folder = config.parent / "conf.d"
    folder.mkdir()
    gateway = await start_gateway(config)
    for number, word in enumerate(("one", "two"), 2):
        write(folder / "a.yaml", word)
        (folder / "a.yaml").write_text((folder / "a.yaml").read_text().replace("version: 1\n", ""))
        await gateway.wait_for(f"generation {number} serves")
        assert await said(session, gateway.url) == word


async def test_sighup_loads_at_once(start_gateway: Any, session: ClientSession, config: Path) -> None:
    gateway = await start_gateway(config)
    gateway.process.send_signal(signal.SIGHUP)
    record = await gateway.wait_for("generation 2 serves")
    assert "SIGHUP" in record["message"]
    assert await said(session, gateway.url) == "one"


async def test_a_broken_file_keeps_the_last_good_one_and_says_so_everywhere(
    start_gateway: Any, session: ClientSession, config: Path
) -> None:
    gateway = await start_gateway(config)
    config.write_text("version: 1\nroutes: [{name: a, match: GET /, reply: {}, tiemout: 3s}]\n")
    record = await gateway.wait_for("configuration refused")
    assert record["level"] == "error"
    assert "routes.yaml:2:45: unknown key 'tiemout'" in record["message"]
    assert await said(session, gateway.url) == "one"
    async with session.get(gateway.admin + "/readyz") as response:
        ready = await response.json()
        assert response.status == 200, "the last good configuration serves"
    assert ready["config"]["status"] == "refused"
    assert ready["config"]["problems"][0]["code"] == "unknown-key"
    async with session.get(gateway.admin + "/metrics") as response:
        metrics = await response.text()
    assert "proxy_config_last_reload_successful 0.0" in metrics
    assert 'proxy_config_reloads_total{result="failure"} 1.0' in metrics


async def test_a_changed_secret_is_taken(
    start_gateway: Any, session: ClientSession, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = config.parent / "secrets"
    folder.mkdir()
    (folder / "word").write_text("one\n")
    monkeypatch.setenv("PROXY_SECRETS", str(folder))
    write(config, '"${secret.word}"')
    gateway = await start_gateway(config)
    assert await said(session, gateway.url) == "one"
    (folder / "word").write_text("two\n")
    await gateway.wait_for("generation 2 serves")
    assert await said(session, gateway.url) == "two"


async def test_a_setting_that_takes_a_restart_is_named_when_a_reload_meets_it(
    start_gateway: Any, session: ClientSession, config: Path
) -> None:
    gateway = await start_gateway(config)
    config.write_text(config.read_text() + "server: {max_target: 4KiB}\n")
    record = await gateway.wait_for("takes a restart")
    assert record["level"] == "warning"
    assert "server.max_target" in record["message"]
    async with session.get(gateway.admin + "/readyz") as response:
        assert (await response.json())["config"]["needs_restart"] == ["server.max_target"]


class Slow:
    """An upstream whose answers wait until they are let go."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return web.json_response({"said": "late"})


@pytest.fixture
async def slow() -> AsyncIterator[tuple[Slow, str]]:
    handler = Slow()
    app = web.Application()
    app.router.add_get("/", handler.answer)
    server = TestServer(app)
    await server.start_server()
    yield handler, str(server.make_url("")).rstrip("/")
    handler.let_go.set()
    await server.close()


def compose(path: Path, upstream: str) -> None:
    path.write_text(
        f'version: 1\nupstreams: {{slow: "{upstream}"}}\nroutes:\n'
        "  - {name: page, match: GET /, calls: {slow: {get: 'slow:/'}}, merge: $.slow}\n"
    )


async def test_sigterm_finishes_what_is_under_way_refuses_what_is_new_and_exits_0(
    start_gateway: Any, session: ClientSession, config: Path, slow: tuple[Slow, str]
) -> None:
    upstream, url = slow
    compose(config, url)
    gateway = await start_gateway(config)
    under_way = asyncio.get_running_loop().create_task(said(session, gateway.url))
    await upstream.asked.wait()
    gateway.process.send_signal(signal.SIGTERM)
    await gateway.wait_for("stopping: 1 requests under way")
    async with session.get(gateway.admin + "/readyz") as response:
        assert response.status == 503
    port = int(gateway.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    upstream.let_go.set()
    assert await under_way == "late"
    assert await gateway.wait() == 0


async def test_a_client_that_goes_away_takes_its_calls_with_it_and_is_logged_as_499(
    start_gateway: Any, config: Path, slow: tuple[Slow, str]
) -> None:
    upstream, url = slow
    compose(config, url)
    gateway = await start_gateway(config)
    _, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await upstream.asked.wait()
    writer.close()
    await asyncio.wait_for(upstream.cancelled.wait(), 10)
    line = json.loads(await asyncio.wait_for(gateway.process.stdout.readline(), 10))
    assert line["status"] == 499
    assert line["route"] == "page"


async def test_an_admin_listener_for_others_than_this_machine_takes_a_token(
    start_gateway: Any, session: ClientSession, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROXY_ADMIN_TOKEN", raising=False)
    refused = await start_gateway(config, "--admin-host", "0.0.0.0", listens=False)
    assert await refused.wait() == 2
    assert any("takes a token" in line for line in refused.other_lines)
    (tmp_path / "token").write_text("secret")
    token = ("--admin-token-file", str(tmp_path / "token"))
    gateway = await start_gateway(config, "--admin-host", "0.0.0.0", *token)
    async with session.get(gateway.admin + "/metrics") as response:
        assert response.status == 401
    async with session.get(gateway.admin + "/metrics", headers={"Authorization": "Bearer secret"}) as response:
        assert response.status == 200
