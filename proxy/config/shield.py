"""What a route refuses by its outside, and what its answers tell browsers, as pydantic models."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from proxy.config.fields import Bytes, Strict, one_or_many

Patterns = Annotated[list[str], BeforeValidator(one_or_many)]


class Bots(Strict):
    """By what a client says that it is (User-Agent): expressions of RE2, found anywhere in it, in whatever case."""

    deny: Patterns = Field(default_factory=list)
    """403 for these."""
    allow: Patterns = Field(default_factory=list)
    """But not for these."""
    empty: Literal["allow", "deny"] = "allow"
    """Who says nothing."""


class Limits(Strict):
    """Less than the server takes; `max_body` is the limit of the body."""

    url: Bytes | None = None
    """Path and query; more: 414."""
    headers: Bytes | None = None
    """Names and values together; more: 431."""
    header_count: int | None = Field(default=None, ge=1)
    """More: 431."""


SecurityHeaders = Annotated[bool | dict[str, str | None], Field(union_mode="left_to_right")]
"""true, or what is to be otherwise: a value, or null to leave one out."""
