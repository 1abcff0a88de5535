"""Which pages of other origins may read a route's answers, as a pydantic model."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from proxy.config.fields import Seconds, Strict, one_or_many


class Cors(Strict):
    """`cors: https://app.example.com` is short for `cors: {origins: [https://app.example.com]}`."""

    origins: Annotated[list[str], BeforeValidator(one_or_many)] = Field(min_length=1)
    """Scheme, host and port as browsers write them; `https://*.example.com` is every host below; `*` is everybody."""
    methods: list[str] | None = None
    """Of the methods that the route takes; all of them unless said."""
    headers: list[str] | None = None
    """What a page may send besides what every page may: Content-Type and the header of the credential unless said."""
    expose: list[str] = Field(default_factory=list)
    """What a page may read of the answer's headers, besides what every page may."""
    credentials: bool = False
    """Whether browsers send cookies and certificates along."""
    max_age: Seconds = 600.0
    """For how long a browser need not ask again."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"origins": value} if isinstance(value, str | list) else value
