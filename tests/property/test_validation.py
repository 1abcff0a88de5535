"""What the gate says of a body is what the validator says of its value, and every pointer leads somewhere in it."""

import asyncio
import json
from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.config.validate import Validate
from proxy.errors import ValidationFailed
from proxy.message import Request, Response
from proxy.plan.compile_validate import compile_validate
from proxy.problems import Place, Span
from proxy.security.validate import validating

NAMES = st.sampled_from(["a", "b", "a/b", "c~d", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
SCHEMAS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({"type": TYPES})
    | st.fixed_dictionaries({"enum": st.lists(VALUES, max_size=3)}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES,
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": inner,
            "items": inner,
            "minItems": st.integers(0, 3),
            "maximum": st.integers(-5, 5),
            "minLength": st.integers(0, 3),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    ),
    max_leaves=6,
)


async def inner(request: Request) -> Response:
    return Response(200)


async def faults_of(schema: Any, body: bytes) -> list[dict[str, str]]:
    plan = compile_validate(Validate(body=schema), Place([], lambda path, at_key: Span("f", 1, 1)))
    layer = validating(plan)
    assert layer is not None

    async def read_body(limit: int) -> bytes:
        return body

    request = Request(
        method="POST",
        raw_target="/",
        headers=CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json"})),
        read_body=read_body,
        id="1",
        client_ip="",
        client_port=0,
        scheme="http",
        host="",
        received_at=0.0,
    )
    try:
        await layer(inner)(request)
    except ValidationFailed as failed:
        return failed.errors
    return []


def at(pointer: str, value: Any) -> Any:
    """What a pointer leads to. Raises if it leads nowhere."""
    assert pointer.startswith("#")
    for part in pointer[2:].split("/") if len(pointer) > 1 else []:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


@given(SCHEMAS, VALUES)
@settings(max_examples=300, deadline=None)
def test_the_gate_and_the_validator_agree(schema: Any, value: Any) -> None:
    body = json.dumps(value).encode()
    faults = asyncio.run(faults_of(schema, body))
    assert (faults == []) is jsonschema_rs.validator_for(schema).is_valid(json.loads(body))
    for fault in faults:
        at(fault["pointer"], value)
