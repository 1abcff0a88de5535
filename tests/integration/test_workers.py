"""`serve --workers`: one listener, several processes, and one voice for all."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

REPLY = "version: 1\nroutes: [{{name: hello, match: GET /, reply: {{body: {{said: {said}}}}}}}]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(REPLY.format(said="one"))
    return path


async def ready(session: ClientSession, gateway: Any) -> dict[str, Any]:
    async with session.get(gateway.admin + "/readyz") as response:
        return {"code": response.status, **await response.json()}


async def test_one_admin_listener_speaks_for_all_and_a_killed_worker_comes_back(
    start_gateway: Any, session: ClientSession, config: Path
) -> None:
    gateway = await start_gateway(config, "--workers", "2", "--port", "0", "--admin-port", "0")
    for _ in range(20):
        async with ClientSession() as other, other.get(gateway.url) as response:
            assert await response.json() == {"said": "one"}
    async with session.get(gateway.admin + "/metrics") as response:
        assert 'proxy_requests_total{method="GET",route="hello",status="200"} 20.0' in await response.text()
    state = await ready(session, gateway)
    assert (state["code"], [one["status"] for one in state["workers"]]) == (200, ["ready", "ready"])
    os.kill(state["workers"][1]["pid"], signal.SIGKILL)
    await gateway.wait_for("worker 1")
    async with session.get(gateway.url) as response:
        assert response.status == 200
    async with asyncio.timeout(20):
        while [one["status"] for one in (await ready(session, gateway))["workers"]] != ["ready", "ready"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    async with session.get(gateway.admin + "/metrics") as response:
        text = await response.text()
    assert 'proxy_requests_total{method="GET",route="hello",status="200"} 21.0' in text, "no counter goes back"
    assert "proxy_worker_restarts_total 1.0" in text
    assert await gateway.end() == 0


async def test_a_reload_reaches_every_worker_and_a_bad_file_is_refused_by_all(
    start_gateway: Any, session: ClientSession, config: Path
) -> None:
    gateway = await start_gateway(config, "--workers", "2", "--port", "0", "--admin-port", "0")
    config.write_text(REPLY.format(said="two"))
    async with session.post(gateway.admin + "/api/reload") as response:
        assert response.status == 200
    for _ in range(10):
        async with ClientSession() as other, other.get(gateway.url) as response:
            assert await response.json() == {"said": "two"}
    config.write_text("version: 2\n")
    async with session.post(gateway.admin + "/api/reload") as response:
        assert response.status == 422
    assert (await ready(session, gateway))["config"]["status"] == "refused"


async def test_a_configuration_with_errors_is_exit_2_once(start_gateway: Any, config: Path) -> None:
    config.write_text("version: 2\n")
    gateway = await start_gateway(config, "--workers", "2", "--port", "0", "--admin-port", "0", listens=False)
    assert await gateway.wait() == 2
