import subprocess
import sys

from proxy.cli.main import make_parser


def test_both_listeners_are_on_loopback_unless_told_otherwise() -> None:
    arguments = make_parser().parse_args(["serve"])
    assert (arguments.config, arguments.host, arguments.port) == ("routes.yaml", "127.0.0.1", 8000)
    assert (arguments.admin_host, arguments.admin_port) == ("127.0.0.1", 8001)


def test_no_other_command_pays_for_aiohttp() -> None:
    code = "import sys; from proxy.cli import main; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
