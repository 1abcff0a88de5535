import json
from pathlib import Path

from proxy.config.schema import make_schema

ROOT = Path(__file__).parents[3]


def test_the_schema_in_docs_is_that_of_the_model() -> None:
    assert json.loads((ROOT / "docs/routes.schema.json").read_text("utf-8")) == make_schema()


def test_routes_yaml_names_the_schema_in_its_first_line() -> None:
    first = (ROOT / "routes.yaml").read_text("utf-8").partition("\n")[0]
    assert first == "# yaml-language-server: $schema=./docs/routes.schema.json"


def test_unknown_keys_are_errors_in_an_editor_too() -> None:
    schema = make_schema()
    models = [schema, *schema["$defs"].values()]
    objects = [inner for model in models for inner in model.get("anyOf", [model]) if inner.get("type") == "object"]
    assert len(objects) > 10
    assert all(inner["additionalProperties"] is False for inner in objects)


def test_short_forms_are_offered() -> None:
    assert {"type": "string", "description": "GET /path"} in make_schema()["$defs"]["Match"]["anyOf"]
