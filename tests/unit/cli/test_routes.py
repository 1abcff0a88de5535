import json
from typing import Any


def test_routes_are_a_table(cli: Any) -> None:
    ran = cli("routes")
    assert ran.code == 0
    assert ran.out.splitlines()[1].split() == ["GET", "/page/{id}", "page", "compose", "users"]


def test_machines_get_json(cli: Any) -> None:
    assert json.loads(cli("routes", "--json").out)[0]["name"] == "page"


def test_a_wrong_file_is_exit_1(cli: Any) -> None:
    ran = cli("routes", "--config", "bad.yaml")
    assert (ran.code, ran.out) == (1, "")
    assert "unknown-root" in ran.err
