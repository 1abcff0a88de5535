"""The kinds of values that routes.yaml has: durations, sizes, conditions, statuses; and what every model is."""

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from proxy.config.units import parse_duration, parse_rate, parse_share, parse_size
from proxy.problems import Invalid


def _unit(parse: Any) -> BeforeValidator:
    """A validator from a parser that raises `Invalid`, keeping its code and hint."""

    def validate(value: object) -> object:
        try:
            return parse(value)
        except Invalid as error:
            raise PydanticCustomError(
                "config", "{message}", {"message": error.message, "code": error.code, "hint": error.hint}
            ) from None

    return BeforeValidator(validate)


def complain(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """A validation error that becomes a problem with this code and hint."""
    return PydanticCustomError("config", "{message}", {"message": message, "code": code, "hint": hint})


Seconds = Annotated[
    float, _unit(parse_duration), WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"})
]
Bytes = Annotated[
    int,
    _unit(parse_size),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|KB|MB|GB)$"}),
]
Rate = Annotated[
    tuple[int, float],
    _unit(parse_rate),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+/([0-9]+(\.[0-9]+)?)?(ms|s|m|h)$"}),
]
Share = Annotated[float, _unit(parse_share), WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$"})]


def _condition(value: object) -> object:
    if not isinstance(value, str | bool):
        raise complain("wrong-type", f"a condition is text, not {value!r}"[:120], "quote it: 'size(items) > 0'")
    return value


Cel = Annotated[
    str | bool,
    BeforeValidator(_condition),
    WithJsonSchema({"type": ["string", "boolean"], "description": "a CEL expression"}),
]


def _failures(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise complain("wrong-type", f"{value!r} failures are none", "write 50%, or a number of failures")
        return value
    try:
        return parse_share(value)
    except Invalid as error:
        raise complain(error.code, error.message, "write 50%, or a number of failures") from None


Failures = Annotated[
    float | int,
    BeforeValidator(_failures),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$"}]}
    ),
]
Status = Annotated[int, Field(ge=100, le=599)]


def one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def in_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def unless_false(value: object) -> object:
    """What can be switched off by `false`."""
    return None if value is False else value


def _status_pattern(value: object) -> object:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[1-5](?:xx|[0-9]{2})", text):
        raise complain("bad-status", f"{value!r} is not a status", "write 404 or 4xx")
    return text


StatusPattern = Annotated[
    str,
    BeforeValidator(_status_pattern),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[1-5]xx$"}]}),
]
Statuses = Annotated[list[StatusPattern], BeforeValidator(one_or_many)]


class Strict(BaseModel):
    """Unknown keys are errors; nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=Strict)


def one(model: type[S]) -> Callable[[], S]:
    """A default factory that gives one frozen instance to all; pydantic would copy it deeply for each route."""
    instance = model()
    return lambda: instance
