"""The JSON Schema of routes.yaml (draft 2020-12), made from the model."""

from typing import Any

from proxy.config.model import Config

_SHORT_FORMS = {
    "Upstream": {"type": "string", "description": "its URL"},
    "Match": {"type": "string", "description": "GET /path"},
    "ProxyAction": {"type": "string", "description": "the upstream"},
    "Redirect": {"type": "string", "description": "where to"},
}


def make_schema() -> dict[str, Any]:
    """The schema as a JSON object. Short forms that the model accepts are alternatives in it."""
    schema = Config.model_json_schema(by_alias=True, mode="validation")
    for name, short in _SHORT_FORMS.items():
        schema["$defs"][name] = {"anyOf": [short, schema["$defs"][name]]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "routes.yaml of proxy-composer",
        **schema,
    }
