"""What a route's requests must look like, as a pydantic model."""

from typing import Any

from proxy.config.fields import Strict

Schema = dict[str, Any] | bool


class Validate(Strict):
    """JSON Schemas (2020-12, or what `$schema` says). Those of params, query and headers are of an object of values."""

    params: Schema | None = None
    query: Schema | None = None
    headers: Schema | None = None
    """Of the headers that it names."""
    body: Schema | None = None
    """Of the request's JSON."""
