import pytest

from proxy.cli.main import main
from proxy.server.sockets import bind


def test_a_port_in_use_is_exit_2_before_any_worker(capsys: pytest.CaptureFixture[str]) -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["serve", "--workers", "2", "--port", port, "--admin-port", "0"]) == 2
    assert "in use" in capsys.readouterr().err
