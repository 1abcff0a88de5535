from typing import Any

import pytest

from proxy.document import decode_json
from proxy.expr.cel import CelFailed, compile_cel
from proxy.expr.scope import Scope, Vocabulary
from proxy.problems import Invalid

NAMES = Vocabulary(calls=frozenset({"user", "list"}), params=frozenset({"id"}), constants=(("env", {"STAGE": "test"}),))
SCOPE = Scope(
    {
        "user": decode_json(b'{"name": "Ann", "nick": null, "age": 30, "price": 1.50}'),
        "list": decode_json(b'[{"id": 2, "p": 1.5}, {"id": 1, "p": 2.5}]'),
        "params": {"id": 7},
        "headers": {"x-foo": "bar"},
        "query": {"q": "x"},
        "calls": {"user": {"status": 200, "headers": {"x-a": "b"}}},
    }
)


@pytest.mark.parametrize(
    "text,expected",
    [
        ("user.name == 'Ann' && user.age >= 18", True),
        ("params.id", 7),
        ("headers['X-Foo'] == 'bar'", True),
        ('calls.user.headers["X-A"]', "b"),
        ("calls.user.status in [200, 201]", True),
        ("has(user.none)", False),
        ("default(user.none, 'd')", "d"),
        ("default(user.nick, 'd')", "d"),
        ("default(user.nick.deep.er, 'd')", "d"),
        ("default(user.name, 'd')", "Ann"),
        ("list.map(x, x.id).sort()", [1, 2]),
        ("list.map(x, x.p).sum()", 4.0),
        ("list.exists(x, x.id == 2)", True),
        ("user.price * 2.0", 3.0),
        ("env.STAGE", "test"),
        ('query.q != "off"', True),
        (True, True),
    ],
)
def test_an_expression_gives(text: object, expected: object) -> None:
    assert compile_cel(text, NAMES).evaluate(SCOPE) == expected


@pytest.mark.parametrize("text", ["user.none", "1 / 0", "user.name + 1", "user.nick.x"])
def test_what_cannot_be_evaluated_fails_with_the_text(text: str) -> None:
    with pytest.raises(CelFailed, match=r".+"):
        compile_cel(text, NAMES).evaluate(SCOPE)


@pytest.mark.parametrize(
    "text,code,hint",
    [
        ("usr.name", "unknown-root", "user"),
        ("params.ix == 1", "unknown-param", "id"),
        ("calls.usr.ok", "unknown-call", "user"),
        ("calls.user.okay", "unknown-field", "ok"),
        ("request.metod", "unknown-field", "method"),
        ("lowr(user.name)", "unknown-function", "lower"),
        ("user.age = 1", "bad-cel", "=="),
        ("user.age and true", "bad-cel", "&&"),
        ("$.user.age", "bad-cel", "without $."),
        (7, "bad-cel", "quote"),
    ],
)
def test_an_expression_that_cannot_work_is_refused(text: object, code: str, hint: str) -> None:
    with pytest.raises(Invalid) as refused:
        compile_cel(text, NAMES)
    assert refused.value.code == code
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    "text,calls",
    [
        ("user.name == 'list.x'", {"user"}),
        ("calls.user.ok && size(list) > 0", {"user", "list"}),
        ("list.map(user, user.id)", {"list"}),
        ("{'user': 1}.user", set()),
    ],
)
def test_dependencies_are_what_is_read(text: str, calls: set[str]) -> None:
    reads: Any = compile_cel(text, NAMES).reads
    assert {read.call for read in reads if read.call} == calls


def test_a_bodys_own_headers_keep_their_case() -> None:
    names = Vocabulary(calls=frozenset({"user"}))
    scope = Scope({"user": {"headers": {"X-A": 1}}})
    assert compile_cel("user.headers['X-A']", names).evaluate(scope) == 1
