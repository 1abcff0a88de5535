import argparse
import resource
from argparse import Namespace
from pathlib import Path

import pytest

from proxy.cli.sharing import NoToken, admin_token, allow_files, open_sockets
from proxy.server.sockets import bind


def test_as_many_files_as_may_be_opened() -> None:
    assert allow_files() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_nothing_stays_open_when_one_of_the_ports_is_taken() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        for ports in ({"admin_port": port, "redirect_port": None}, {"admin_port": 0, "redirect_port": port}):
            given = argparse.Namespace(host="127.0.0.1", port=0, admin_host="127.0.0.1", reuse_port=False, **ports)
            with pytest.raises(OSError, match="in use"):
                open_sockets(given)


def arguments(host: str, token_file: Path | None = None) -> Namespace:
    return Namespace(admin_host=host, admin_token_file=None if token_file is None else str(token_file))


def test_on_loopback_no_token_is_needed_but_one_that_is_set_is_demanded() -> None:
    assert admin_token(arguments("127.0.0.1"), {}) is None
    assert admin_token(arguments("127.0.0.1"), {"PROXY_ADMIN_TOKEN": " t\n"}) == "t"


def test_elsewhere_there_is_no_admin_listener_without_one() -> None:
    with pytest.raises(NoToken, match="PROXY_ADMIN_TOKEN"):
        admin_token(arguments("0.0.0.0"), {"PROXY_ADMIN_TOKEN": " "})
    assert admin_token(arguments("0.0.0.0"), {"PROXY_ADMIN_TOKEN": "t"}) == "t"


def test_a_token_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from a file\n")
    assert admin_token(arguments("::", file), {"PROXY_ADMIN_TOKEN": "t"}) == "from a file"
    file.write_text("\n")
    with pytest.raises(NoToken, match="holds no token"):
        admin_token(arguments("::1", file), {})
    with pytest.raises(NoToken, match="cannot be read"):
        admin_token(arguments("::1", tmp_path / "gone"), {})
