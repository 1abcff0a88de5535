import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest


class Readiness(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()
        self.wfile.write(b'{"status":"x"}')

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Readiness)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield str(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("status,code", [(200, 0), (503, 1)])
def test_health_is_readiness(status: int, code: int, gateway: str, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Readiness, "status", status)
    ran = cli("health", "--admin-port", gateway)
    assert (ran.code, ran.out) == (code, '{"status":"x"}\n')


def test_nobody_there_is_exit_1_and_one_line(cli: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    ran = cli("health", "--admin-port", port)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
