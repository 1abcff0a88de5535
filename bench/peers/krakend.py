"""Configurations for KrakenD CE 2, whose binary the environment variable KRAKEND names.

It has no join of lists, so it is left out there. Its collections come as `{"collection": [...]}`, which `mapping`
renames; narrowing their elements takes its flatmap, which then does the renaming too.
"""

import json
from typing import Any

from bench.cases import Case

_FIELDS_TO_DROP = {
    "/products?user_id={id}": ["price"],
    "/slow?user_id={id}": ["price"],
    "/catalog": ["price", "currency", "stock", "tags", "description"],
}


def config(case: Case, upstream: str, port: int) -> str:
    endpoint = {"method": "GET", "timeout": "120s", **_ENDPOINTS[case.name]}
    for backend in endpoint["backend"]:
        backend["host"] = [upstream]
    return json.dumps(
        {
            "version": 3,
            "name": "bench",
            "listen_ip": "127.0.0.1",
            "port": port,
            "max_idle_connections_per_host": 512,
            "endpoints": [endpoint],
            "extra_config": {
                "telemetry/logging": {"level": "ERROR", "stdout": True},
                "router": {"disable_access_log": True},
            },
        },
        indent=2,
    )


def _user(*kept: str) -> dict[str, Any]:
    mapping = {"id": "user_id", "name": "user_name"}
    return {"url_pattern": "/users/{id}", "allow": [*mapping, *kept], "mapping": mapping}


def _list(pattern: str, *, narrowed: bool) -> dict[str, Any]:
    if not narrowed:
        return {"url_pattern": pattern, "is_collection": True, "mapping": {"collection": "products"}}
    steps = [{"type": "del", "args": [f"collection.*.{name}"]} for name in _FIELDS_TO_DROP[pattern]]
    steps.append({"type": "move", "args": ["collection", "products"]})
    return {"url_pattern": pattern, "is_collection": True, "extra_config": {"proxy": {"flatmap_filter": steps}}}


def _passing(path: str) -> dict[str, Any]:
    return {
        "endpoint": path,
        "output_encoding": "no-op",
        "backend": [{"url_pattern": path, "encoding": "no-op"}],
    }


_ENDPOINTS: dict[str, dict[str, Any]] = {
    "small": {
        "endpoint": "/user-products/{id}",
        "backend": [_user("email"), _list("/products?user_id={id}", narrowed=True)],
    },
    "slow": {
        "endpoint": "/slow/{id}",
        "backend": [_user("email"), _list("/slow?user_id={id}", narrowed=True)],
    },
    # All one after the other: KrakenD has no way to say that the second and third may run together.
    "three-way": {
        "endpoint": "/profile/{id}",
        "extra_config": {"proxy": {"sequential": True}},
        "backend": [
            {"url_pattern": "/accounts/{id}"},
            {"url_pattern": "/teams/{resp0_team}"},
            {"url_pattern": "/plans/{resp0_plan}"},
        ],
    },
    "big-moved": {
        "endpoint": "/catalog/moved/{id}",
        "backend": [_user(), _list("/catalog", narrowed=False)],
    },
    "big-narrowed": {
        "endpoint": "/catalog/narrowed/{id}",
        "backend": [_user(), _list("/catalog", narrowed=True)],
    },
    "pass-small": _passing("/users/{id}"),
    "pass-1m": _passing("/files/{name}"),
    "pass-1g": _passing("/files/{name}"),
}
