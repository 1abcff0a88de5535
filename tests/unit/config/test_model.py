from typing import Any

import pytest
from pydantic import ValidationError

from proxy.config.calls import Call
from proxy.config.model import Config, Match, Redirect, Route
from proxy.config.upstreams import Upstream


@pytest.mark.parametrize(
    "value,methods,path",
    [
        ("GET /a", ["GET"], "/a"),
        ("GET,POST /a", ["GET", "POST"], "/a"),
        ("/a", None, "/a"),
        ({"path": "/a", "methods": "GET"}, ["GET"], "/a"),
    ],
)
def test_a_match_may_be_text(value: Any, methods: list[str] | None, path: str) -> None:
    match = Match.model_validate(value)
    assert (match.methods, match.path) == (methods, path)


def test_a_redirect_may_be_text() -> None:
    assert Redirect.model_validate("/new").to == "/new"


@pytest.mark.parametrize(
    "model,value",
    [
        (Match, "GET /a HTTP/1.1"),
        (Match, 3),
        (Call, {"get": 1}),
        (Call, {"get": "u:/", "ok": ["6xx"]}),
        (Call, {"get": "u:/", "ok": [20]}),
        (Call, {"get": "u:/", "timeout": 3}),
        (Call, {"get": "u:/", "decode": "yaml"}),
        (Redirect, {"to": "/", "status": 200}),
        (Route, {"name": "a b", "match": "/"}),
        (Config, {"version": 2}),
        (Config, {"version": 1, "rotes": []}),
    ],
)
def test_what_is_not_meant_is_refused(model: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(value)


def test_an_action_counts_by_being_written() -> None:
    assert Route.model_validate({"name": "a", "match": "/", "reply": {}}).actions == ["reply"]
    assert Route.model_validate({"name": "a", "match": "/"}).actions == []


def test_a_calls_method_is_the_key_that_is_written() -> None:
    assert Call.model_validate({"post": "u:/", "get": None}).methods == ["post"]


def test_statuses_may_be_one_or_many_numbers_or_classes() -> None:
    assert Call.model_validate({"get": "u:/", "ok": 404, "pass_status": ["4xx", 500]}).ok == ["404"]


def test_a_model_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Upstream.model_validate("http://u").host = "other"  # type: ignore[misc]
