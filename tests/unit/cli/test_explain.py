from typing import Any


def test_a_route_is_explained(cli: Any) -> None:
    ran = cli("explain", "page")
    assert ran.code == 0
    assert "critical path: user → more" in ran.out


def test_a_route_is_drawn(cli: Any) -> None:
    assert cli("explain", "page", "--mermaid").out.startswith("flowchart LR\n")


def test_a_route_that_is_not_there_is_exit_1_with_the_nearest(cli: Any) -> None:
    ran = cli("explain", "pgae")
    assert ran.code == 1
    assert "did you mean 'page'?" in ran.err


def test_a_wrong_file_is_exit_1(cli: Any) -> None:
    assert cli("explain", "page", "--config", "bad.yaml").code == 1
