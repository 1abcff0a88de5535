from pathlib import Path
from typing import Any

import pytest

ROUTES = """version: 1
upstreams: {users: "http://u"}
routes:
  - name: page
    match: GET /page/{id}
    calls: {user: {get: "users:/users/${params.id}"}}
    merge: {name: $.user.name}
    tests:
      - {name: good, request: GET /page/1, stubs: {user: {json: {name: Ann}}}, expect: {body: {name: Ann}}}
"""
BAD = "      - {name: bad, request: GET /page/1, stubs: {user: {json: {name: Ann}}}, expect: {body: {name: Bob}}}\n"


@pytest.fixture(autouse=True)
def _files(cli: Any) -> None:
    Path("good.yaml").write_text(ROUTES)
    Path("failing.yaml").write_text(ROUTES + BAD)


def test_tests_that_pass_are_exit_0(cli: Any) -> None:
    ran = cli("test", "good.yaml")
    assert (ran.code, ran.out.splitlines()) == (0, ["✓ page: good", "1 tests of 1 routes, 0 failed"])


def test_a_test_that_fails_is_exit_1_with_what_differs(cli: Any) -> None:
    ran = cli("test", "failing.yaml")
    assert ran.code == 1
    assert ran.out.splitlines()[1:] == [
        "✗ page: bad",
        '    body: $.name: expected "Bob", got "Ann"',
        "2 tests of 1 routes, 1 failed",
    ]


def test_results_may_be_written_as_junit(cli: Any) -> None:
    assert cli("test", "failing.yaml", "--junit", "out.xml").code == 1
    assert 'failures="1"' in Path("out.xml").read_text()
    assert cli("test", "good.yaml", "--junit", "no/such/folder.xml").code == 2


def test_a_wrong_file_is_exit_1_and_a_missing_one_2(cli: Any) -> None:
    assert cli("test", "bad.yaml").code == 1
    assert cli("test", "gone.yaml").code == 2


def test_one_route_may_be_chosen(cli: Any) -> None:
    assert cli("test", "good.yaml", "--route", "page").code == 0
    ran = cli("test", "good.yaml", "--route", "pgae")
    assert ran.code == 1
    assert "did you mean 'page'?" in ran.err


def test_a_stub_for_no_call_is_a_problem_of_the_file(cli: Any) -> None:
    Path("stub.yaml").write_text(ROUTES.replace("stubs: {user:", "stubs: {usr:"))
    ran = cli("test", "stub.yaml")
    assert ran.code == 1
    assert "[unknown-call] – did you mean 'user'?" in ran.err


def test_without_tests_it_says_so(cli: Any) -> None:
    assert cli("test", "routes.yaml").out == "there are no tests\n"
