"""The JSON Schema of routes.yaml (draft 2020-12), made from the model."""

from typing import Any

from proxy.config.model import Config

_SHORT_FORMS = {
    "Upstream": {"type": "string", "description": "its URL"},
    "RateLimit": {"type": "string", "description": "100/1m"},
    "Url": {"type": "string", "description": "http://host:port"},
    "Balance": {"type": "string", "enum": ["p2c", "round_robin", "least_requests", "ewma", "random"]},
    "Match": {"type": "string", "description": "GET /path"},
    "ProxyAction": {"type": "string", "description": "the upstream"},
    "WebSocket": {"type": "boolean"},
    "Redirect": {"type": "string", "description": "where to"},
    "RequestOfTest": {"type": "string", "description": "GET /path"},
}
# Lists that may be written as their only element.
_SINGLE = {
    "Match": ("methods",),
    "Route": ("rate_limit",),
    "Call": ("after", "ok", "pass_status"),
    "CallDefaults": ("pass_status",),
    "Health": ("status",),
    "Retry": ("statuses", "methods"),
}


def make_schema() -> dict[str, Any]:
    """The schema as a JSON object. Short forms that the model accepts are alternatives in it."""
    schema = Config.model_json_schema(by_alias=True, mode="validation")
    _allow_single(schema["properties"]["include"])
    for name, keys in _SINGLE.items():
        for key in keys:
            _allow_single(schema["$defs"][name]["properties"][key])
    _allow_single(schema["$defs"]["RouteTest"]["properties"]["stubs"]["additionalProperties"])
    for name, short in _SHORT_FORMS.items():
        schema["$defs"][name] = {"anyOf": [short, schema["$defs"][name]]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "routes.yaml of proxy-composer",
        **schema,
    }


def _allow_single(schema: dict[str, Any]) -> None:
    """Let a list in the schema be its only element too."""
    alternatives = schema.pop("anyOf", None) or [{key: schema.pop(key) for key in ("type", "items") if key in schema}]
    items = [one["items"] for one in alternatives if "items" in one]
    schema["anyOf"] = [*items, *alternatives]
