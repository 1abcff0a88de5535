"""`validate` of a route: JSON Schemas → compiled ones. A schema that is itself wrong is a problem where it stands."""

from collections.abc import Mapping
from importlib.util import find_spec
from itertools import islice
from typing import Any

from proxy.config.validate import Validate
from proxy.plan.validate import Part, SchemaPlan, Types, ValidatePlan, pointer
from proxy.problems import Place

# OpenAPI's, which say how a number is kept, or what an editor hides.
_NO_RULE = ("int32", "int64", "float", "double", "byte", "binary", "password")
_LONGEST = 200
_PARTS: tuple[Part, ...] = ("params", "query", "headers", "body")


def compile_validate(validate: Validate | None, place: Place) -> ValidatePlan | None:
    """None where requests may look like anything."""
    if validate is None:
        return None
    given = {part: schema for part in _PARTS if (schema := getattr(validate, part)) is not None}
    if not given:
        place.problem("missing-key", "nothing is validated", "write body: {type: object, …}", at_key=True)
        return None
    if find_spec("jsonschema_rs") is None:
        place.problem(
            "missing-extra",
            "schemas need a package that is not installed",
            "pip install 'proxy-composer[schema]'",
            at_key=True,
        )
        return None
    plans = {part: _compile(part, schema, place / part) for part, schema in given.items()}
    return ValidatePlan(parts={part: plan for part, plan in plans.items() if plan is not None})


def _compile(part: Part, schema: dict[str, Any] | bool, place: Place) -> SchemaPlan | None:
    import jsonschema_rs  # noqa: PLC0415 (an extra)

    if part == "headers" and isinstance(schema, dict):
        schema = _in_lower_case(schema)
    options: dict[str, Any] = {
        # Nothing is fetched: where a `$ref` leads is in the schema itself.
        "offline": True,
        "validate_formats": True,
        "ignore_unknown_formats": False,
        "formats": dict.fromkeys(_NO_RULE, _anything),
        # A client's text meets the patterns: these take time in proportion to it (no ReDoS).
        "pattern_options": jsonschema_rs.RegexOptions(),
    }
    try:
        jsonschema_rs.validator_for(schema, **options)
    except jsonschema_rs.ValidationError as error:
        _report(error, place)
        return None
    # What a client sent is not repeated to whoever reads the answer.
    validator = jsonschema_rs.validator_for(schema, mask="it", **options)

    def faults(value: Any, most: int) -> list[tuple[str, str]]:
        found = islice(validator.iter_errors(value), most)
        return [(pointer(error.instance_path), _shortened(error.message)) for error in found]

    return SchemaPlan(
        holds=validator.is_valid, faults=faults, types=_types(schema) if part != "body" else {}, names=_names(schema)
    )


def _anything(value: object) -> bool:
    return True


def _report(error: Any, place: Place) -> None:
    for key in error.instance_path:
        place /= key
    hint = ""
    if "Retrieval is disabled" in error.message or "No base URI" in error.message:
        hint = "nothing is fetched: write it under $defs, and refer to #/$defs/name"
    elif error.kind.name == "pattern" or '"regex"' in error.message:
        hint = "patterns take linear time here: no look-around, no back-references"
    elif error.instance_path and "type" in error.instance_path[-2:]:
        hint = "there is array, boolean, integer, null, number, object, string"
    place.problem("bad-schema", f"not a JSON Schema: {_shortened(error.message)}", hint)


def _shortened(message: str) -> str:
    return message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…"


def _in_lower_case(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object of headers, whose names have no case."""
    changed = dict(schema)
    if isinstance(schema.get("properties"), dict):
        changed["properties"] = {str(name).lower(): inner for name, inner in schema["properties"].items()}
    if isinstance(schema.get("required"), list):
        changed["required"] = [name.lower() if isinstance(name, str) else name for name in schema["required"]]
    return changed


def _names(schema: dict[str, Any] | bool) -> frozenset[str]:
    if not isinstance(schema, dict):
        return frozenset()
    properties, required = schema.get("properties"), schema.get("required")
    names = [*(properties if isinstance(properties, dict) else ()), *(required if isinstance(required, list) else ())]
    return frozenset(str(name) for name in names)


def _types(schema: dict[str, Any] | bool) -> Types:
    """What the text of each property may stand for."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return {}
    assert isinstance(schema, dict)
    return {
        str(name): (_own_types(inner, schema), _own_types(_followed(inner, schema).get("items"), schema))
        for name, inner in properties.items()
    }


def _own_types(inner: Any, root: Mapping[str, Any]) -> frozenset[str]:
    said = _followed(inner, root).get("type", ())
    return frozenset([said] if isinstance(said, str) else said)


def _followed(inner: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a schema says, or what it refers to in the same document says."""
    for _ in range(8):
        reference = inner.get("$ref") if isinstance(inner, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        inner = root
        for part in reference[2:].split("/"):
            inner = inner.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(inner, dict) else None
    return inner if isinstance(inner, dict) else {}
