"""The layer of a route with `validate`: what does not look as its schemas say goes no further."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from proxy.engine.context import UnsupportedMediaType
from proxy.errors import BadRequest, ValidationFailed
from proxy.message import Request, Response
from proxy.plan.validate import Part, SchemaPlan, ValidatePlan, value_of
from proxy.service import Layer, Service
from proxy.target import split_query

MOST = 20
"""Faults that are told at once."""
DEEPEST = 256
"""Levels of a body."""
# Requests that have a body only if they have one (RFC 9110 §9.3).
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})


def validating(plan: ValidatePlan | None) -> Layer | None:
    """422 for what does not fit. None where nothing has to."""
    if plan is None:
        return None
    read = {"params": _params, "query": _query, "headers": _headers}
    outside = [(part, schema, read[part]) for part, schema in plan.parts.items() if part != "body"]
    body_schema = plan.parts.get("body")

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def validated(request: Request) -> Response:
            faults: list[dict[str, str]] = []
            for part, schema, values in outside:
                _check(part, schema, values(request, schema), faults)
            if body_schema is not None:
                body = await request.read_body(request.max_body)
                if body:
                    _check("body", body_schema, _document(request, body), faults)
                elif request.method not in _WITHOUT_BODY:
                    faults.append({"in": "body", "pointer": "#", "detail": "there is none"})
            if faults:
                raise ValidationFailed(faults[:MOST])
            return await inner(request)

        return validated

    return layer


def _check(part: Part, schema: SchemaPlan, value: Any, faults: list[dict[str, str]]) -> None:
    if not schema.holds(value):
        found = schema.faults(value, MOST)
        faults += [{"in": part, "pointer": where, "detail": detail} for where, detail in found]


def _params(request: Request, schema: SchemaPlan) -> dict[str, Any]:
    return {
        name: value_of([value], schema.types.get(name)) if isinstance(value, str) else value
        for name, value in request.params.items()
    }


def _query(request: Request, schema: SchemaPlan) -> dict[str, Any]:
    texts: dict[str, list[str]] = {}
    for name, value in split_query(request.query):
        texts.setdefault(name, []).append(value)
    return {name: value_of(values, schema.types.get(name)) for name, values in texts.items()}


def _headers(request: Request, schema: SchemaPlan) -> dict[str, Any]:
    headers = request.headers
    return {name: value_of(headers.getall(name), schema.types.get(name)) for name in schema.names if name in headers}


def _document(request: Request, body: bytes) -> Any:
    """The value of a body, read as strictly as can be: whoever reads it next must not find another one in it."""
    types = request.headers.getall("Content-Type", ())
    if len(types) != 1 or not _is_json(types[0]):
        raise UnsupportedMediaType("the body has to be JSON, and say so in Content-Type")
    if "Content-Encoding" in request.headers:
        raise UnsupportedMediaType("the body has to come without a coding")
    try:
        text = body.decode()
        if body.count(b"[") + body.count(b"{") > DEEPEST and _depth(text) > DEEPEST:
            raise BadRequest(f"the body has more than {DEEPEST} levels")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        said = f": {error}" if isinstance(error, _Ambiguous) else ""
        raise BadRequest(f"the body is not JSON{said}") from None


class _Ambiguous(ValueError):
    """It can be read in two ways."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that stands twice one reader takes the first value and another the last (RFC 8259 §4)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Ambiguous("a name stands twice in an object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise _Ambiguous("NaN and infinities are no numbers of JSON")


def _is_json(media_type: str) -> bool:
    essence, *parameters = [part.strip().lower() for part in media_type.split(";")]
    if essence != "application/json" and not (essence.startswith("application/") and essence.endswith("+json")):
        return False
    charsets = [value.strip('"') for name, _, value in (one.partition("=") for one in parameters) if name == "charset"]
    return all(charset == "utf-8" for charset in charsets)


def _depth(text: str) -> int:
    """How many levels a document has. Its strings are passed over."""
    deepest = level = 0
    inside = escaped = False
    for char in text:
        if inside:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                inside = False
        elif char == '"':
            inside = True
        elif char in "[{":
            level += 1
            deepest = max(deepest, level)
        elif char in "]}":
            level -= 1
    return deepest
