import json
from pathlib import Path
from typing import Any


def test_a_good_file_is_exit_0(cli: Any) -> None:
    ran = cli("check", "routes.yaml")
    assert (ran.code, ran.out) == (0, "routes.yaml: ok, 1 routes, 1 upstreams\n")


def test_a_wrong_file_is_exit_1_with_place_line_and_caret(cli: Any) -> None:
    ran = cli("check", "bad.yaml")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0].startswith("bad.yaml:8:19: ")
    assert "[unknown-root] – did you mean 'user'?" in lines[0]
    assert lines[1].strip() == '8 |       more: {get: "users:/more/${usr.id}"}'
    assert lines[2].index("^") == lines[1].index('"users:')
    assert lines[-1] == "1 error"


def test_a_file_that_is_not_there_is_exit_2(cli: Any) -> None:
    ran = cli("check", "gone.yaml")
    assert ran.code == 2
    assert "cannot read gone.yaml" in ran.out


def test_output_that_is_not_a_terminal_has_no_colour(cli: Any) -> None:
    assert "\x1b" not in cli("check", "bad.yaml").out


def test_machines_get_json(cli: Any) -> None:
    ran = cli("check", "bad.yaml", "--json")
    document = json.loads(ran.out)
    assert (ran.code, document["ok"]) == (1, False)
    (problem,) = document["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["code"]) == ("bad.yaml", 8, 19, "unknown-root")
    assert json.loads(cli("check", "--json").out) == {"ok": True, "problems": []}


def test_problems_of_all_files_come_in_one_run(cli: Any) -> None:
    Path("main.yaml").write_text("version: 1\ninclude: [one.yaml, two.yaml]\nroutez: []\n")
    Path("one.yaml").write_text("routes: [{name: a, match: /a}]\n")
    Path("two.yaml").write_text("routes: [{name: b, match: /b, proxy: nobody}]\n")
    document = json.loads(cli("check", "main.yaml", "--json").out)
    assert [(one["file"], one["code"]) for one in document["problems"]] == [
        ("main.yaml", "unknown-key"),
        ("one.yaml", "no-action"),
        ("two.yaml", "unknown-upstream"),
    ]


def test_a_warning_is_exit_1_only_where_it_is_wanted(cli: Any) -> None:
    Path("warned.yaml").write_text(Path("routes.yaml").read_text().replace("$.more", "$.user"))
    lenient, strict = cli("check", "warned.yaml"), cli("check", "warned.yaml", "--strict")
    assert (lenient.code, strict.code) == (0, 1)
    assert "(warning)" in lenient.out
    assert json.loads(cli("check", "warned.yaml", "--strict", "--json").out)["ok"] is False
