"""What a test beside a route may say, as pydantic models."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from proxy.config.fields import Seconds, Status, Strict, in_list, one


class Stub(Strict):
    """What a call gets in a test, instead of its upstream."""

    json_: Any = Field(default=None, alias="json")
    body: str | None = None
    """Instead of `json`: text as it is."""
    status: Status = 200
    headers: dict[str, str] = Field(default_factory=dict)
    delay: Seconds | None = None
    """In the test's own time: it takes none."""
    drop: bool = False
    """The connection breaks instead."""


class RequestOfTest(Strict):
    """`GET /path` is short for `{path: /path, method: GET}`."""

    path: str
    method: str = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    json_: Any = Field(default=None, alias="json")
    body: str | None = None
    claims: dict[str, Any] | None = None
    """Who asks, of a route with `auth`: no credential is needed then."""
    client: str = "127.0.0.1"
    """The address that it comes from."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        method, _, path = value.partition(" ")
        return {"method": method, "path": path} if path else {"path": method}


class Expect(Strict):
    """What a test expects; what is left out may be anything (but the status, which is 200)."""

    status: Status = 200
    body: Any = None
    headers: dict[str, str | None] = Field(default_factory=dict)
    """null: it must not be there."""
    calls: dict[str, int] = Field(default_factory=dict)
    """How many requests each call made."""


class RouteTest(Strict):
    """A test of the route beside it, run by `proxy-composer test` without any network."""

    name: str
    request: RequestOfTest
    stubs: dict[str, Annotated[list[Stub], BeforeValidator(in_list)]] = Field(default_factory=dict)
    """By call (for `proxy`: by upstream). Several are used in turn; the last one repeats."""
    expect: Expect = Field(default_factory=one(Expect))
