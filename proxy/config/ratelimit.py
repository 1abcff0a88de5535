"""How often a route may be asked, as pydantic models."""

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

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"rate": value} if isinstance(value, str) else value
