import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

ROUTES = """version: 1
upstreams: {{u: "http://127.0.0.1:{port}"}}
routes:
  - name: page
    match: POST /page/{{id}}
    calls: {{user: {{get: "u:/users/${{params.id}}", headers: {{X-A: $.headers.x-a}}, pass_status: [404]}}}}
    merge: {{user: $.user, sent: $.body}}
  - {{name: pass, match: "GET /pass/{{rest:path}}", proxy: u}}
"""


class Upstream(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/pass/"):
            self.stream()
            return
        body = json.dumps({"path": self.path, "a": self.headers["X-A"]}).encode()
        self.send_response(404 if self.path.endswith("none") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        self.send_response(200)
        if self.path == "/pass/cut":
            self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 100)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _upstream(cli: Any) -> Iterator[None]:
    server = HTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Path("page.yaml").write_text(ROUTES.format(port=server.server_address[1]))
    Path("down.yaml").write_text(ROUTES.format(port=1))
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_route_is_tried_by_name_and_its_calls_are_drawn(cli: Any) -> None:
    ran = cli("try", "page", "--config", "page.yaml", "--set", "id=a b", "--header", "X-A: 1", "--body", "[1]")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "200 POST /page/a%20b → route page"
    assert '    "path": "/users/a%20b",' in lines
    assert '    "a": "1"' in lines
    assert lines[-1].startswith("user ")
    assert "█" in lines[-1]
    assert lines[-1].endswith("ms  200")


def test_a_path_is_tried_as_it_is(cli: Any) -> None:
    ran = cli("try", "/page/none", "--method", "POST", "--config", "page.yaml")
    assert ran.code == 0
    assert ran.out.startswith("404 POST /page/none → route page\n")


def test_a_failing_upstream_is_exit_1_and_named(cli: Any) -> None:
    ran = cli("try", "page", "--config", "down.yaml", "--set", "id=1")
    assert ran.code == 1
    assert ran.out.startswith("502 ")
    assert ran.out.splitlines()[-1].endswith("– upstream_unreachable")


@pytest.mark.parametrize(
    "arguments,said",
    [(("pgae",), "did you mean 'page'?"), (("page",), "--set id=…"), (("x",), "a path starts with a slash")],
)
def test_what_cannot_be_asked_is_exit_2_and_one_line(arguments: tuple[str, ...], said: str, cli: Any) -> None:
    ran = cli("try", *arguments, "--config", "page.yaml")
    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_an_answer_that_is_passed_on_as_it_comes_is_shown_whole(cli: Any) -> None:
    ran = cli("try", "/pass/on", "--config", "page.yaml")
    assert ran.code == 0
    assert "x" * 100 in ran.out.splitlines()


def test_an_answer_that_breaks_off_is_said_to(cli: Any) -> None:
    ran = cli("try", "/pass/cut", "--config", "page.yaml")
    assert "ended early" in ran.err + ran.out or "upstream_invalid" in ran.out
