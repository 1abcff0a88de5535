"""How often a route may be asked, as pydantic models."""

from typing import Literal

from pydantic import Field, model_validator

from proxy.config.fields import Rate, Strict


class RateLimit(Strict):
    """`rate_limit: 100/1m` is short for `rate_limit: {rate: 100/1m}`."""

    rate: Rate
    """So many requests in so much time, on average."""
    burst: int | None = Field(default=None, ge=1)
    """How many may come at once; unless said, as many as the rate's number."""
    key: str = "$.client.ip"
    """Who is counted together: requests for which this expression has the same value. Without one: by address."""
    name: str = Field(default="default", pattern=r"^[A-Za-z0-9_-]+$")
    """What it is called in the RateLimit headers."""
    when_away: Literal["local", "allow", "refuse"] = "local"
    """While `server.limit_store` is away: count here, let everybody in, or nobody (503)."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"rate": value} if isinstance(value, str) else value


class Concurrency(Strict):
    """`concurrency: 10` is short for `concurrency: {limit: 10}`."""

    limit: int = Field(ge=1)
    """So many requests under way at once, in each process."""
    key: str | None = None
    """Of those for which this expression has the same value; of all of the route unless said."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"limit": value} if isinstance(value, int) and not isinstance(value, bool) else value
