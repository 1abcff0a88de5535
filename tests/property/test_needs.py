"""An answer that is decoded only as far as it is looked into gives the same composite as one that is decoded whole."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy.config.route_tests import Stub
from proxy.expr.needs import READ
from proxy.loading import load
from proxy.plan.nodes import CompositePlan, Plan
from proxy.server.actions import Services
from proxy.testing.requests import single_request
from proxy.testing.stubs import StubUpstream, only
from proxy.testing.virtual import run_virtually

PATHS = st.sampled_from(
    [
        "$.a",
        "$.a.x",
        "$.a.list",
        "$.a.list[*]",
        "$.a.list[0].x",
        "$.a.list[0:2]",
        "$.a.list[*].x",
        "$.a.list[*].list[0]",
        "$.a..x",
        "$.a.list[?(@.x == 1)]",
        "$.a.x ?? 'd'",
        "$.a.none ?? $.a.x ?? [1]",
        "$.a.list ?? []",
        "text ${a.x}",
    ]
)
CONDITIONS = st.sampled_from(["a.x == 1", "size(a.list) > 1", "true"])
KEYS = st.lists(st.sampled_from(["x", "y", "list"]), min_size=1, max_size=3, unique=True)


def shapes(loops: tuple[str, ...] = ()) -> Any:
    items = [path for name in loops for path in (f"$.{name}", f"$.{name}.x", f"$.{name}.list", f"$.{name}.list[*].y")]
    paths = PATHS | st.sampled_from(items) if items else PATHS
    return st.deferred(lambda: _shapes(paths, loops))


def _shapes(paths: Any, loops: tuple[str, ...]) -> Any:
    inner = paths | _operators(paths, paths, loops)
    return (
        paths
        | _operators(paths, inner, loops)
        | st.dictionaries(st.sampled_from(["k", "m"]), inner, min_size=1)
        | st.lists(inner, max_size=2)
        | st.just({"$literal": "$.a"})
    )


def _operators(paths: Any, inner: Any, loops: tuple[str, ...]) -> Any:
    sources = paths.filter(lambda text: text.startswith("$."))
    name = f"i{len(loops)}"
    parts = st.sampled_from(["pick", "drop"]).flatmap(lambda key: st.fixed_dictionaries({key: KEYS}))
    if len(loops) < 2:
        parts |= st.fixed_dictionaries({"value": shapes((*loops, name))})
    more = st.fixed_dictionaries(
        {},
        optional={
            "limit": st.integers(0, 2),
            "where": st.just(f"{name}.x == 1"),
            "sort_by": st.sampled_from(["$.x", "-$.y"]),
        },
    )
    each = st.builds(lambda source, part, rest: {"$each": source, "as": name, **part, **rest}, sources, parts, more)
    narrowed = st.builds(
        lambda op, keys, source: {op: keys, "from": source}, st.sampled_from(["$pick", "$drop"]), KEYS, sources
    )
    several = st.lists(inner, min_size=1, max_size=3)
    return (
        each
        | narrowed
        | st.builds(lambda op, parts: {op: parts}, st.sampled_from(["$merge", "$merge_deep", "$concat"]), several)
        | st.builds(lambda parts: {"$merge": parts, "on_conflict": "first"}, several)
        | sources.map(lambda source: {"$flatten": source})
        | sources.map(lambda source: {"$group": source, "by": "$.x"})
        | st.builds(lambda test, a, b: {"$if": test, "then": a, "else": b}, CONDITIONS, inner, inner)
        | st.just({"$cel": "size(a.list)"})
    )


DOCUMENTS = st.recursive(
    st.sampled_from([None, True, 1, 2.5, "text", "ä", [], {}]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "list", "none"]), inner, max_size=4)
    ),
    max_leaves=14,
).flatmap(lambda value: st.sampled_from([value, {"x": 1, "list": value}, {"list": [value, {"x": 1, "y": value}]}]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("needs")


def plan_of(folder: Path, route: dict[str, Any]) -> Plan | None:
    config = {"version": 1, "upstreams": {"u": "http://u"}, "routes": [{"name": "page", "match": "/page", **route}]}
    path = folder / "routes.yaml"
    path.write_text(json.dumps(config))
    return load(str(path), {}).plan


def eager(plan: Plan) -> Plan:
    """The same, where every answer is decoded whole."""

    route = plan.routes[0]
    assert isinstance(route.action, CompositePlan)
    calls = tuple(replace(call, need=READ) for call in route.action.calls)
    return dataclasses.replace(plan, routes=(dataclasses.replace(route, action=replace(route.action, calls=calls)),))


def compose(plan: Plan, document: Any) -> tuple[int, Any, int]:
    alone = only(plan, plan.routes[0])
    stub = Stub.model_validate({"body": json.dumps(document, ensure_ascii=False)})

    async def work() -> tuple[int, Any, int]:
        upstreams = {name: StubUpstream(name, [stub]) for name in alone.upstreams}
        response = await Services(alone, upstreams, lambda event: None)["page"](
            single_request("GET", "/page", [], b"", 0)
        )
        return response.status, json.loads(response.body), response.faults

    result: tuple[int, Any, int] = run_virtually(work())
    return result


@example(
    {"$merge": ["$.a", "$.a.list[0].x"], "on_conflict": "first"}, {"list": [None, {"x": 1, "y": None}]}, False, None
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shapes(), DOCUMENTS, st.booleans(), st.sampled_from([None, "$.x", "$.list"]))
def test_looking_into_less_changes_nothing(
    folder: Path, merge: Any, document: Any, omit_missing: bool, select: str | None
) -> None:
    call = {"get": "u:/a", **({} if select is None else {"select": select, "fallback": None})}
    plan = plan_of(folder, {"calls": {"a": call}, "merge": merge, "omit_missing": omit_missing})
    if plan is None:
        return  # some shapes are refused, such as a template over a list
    assert compose(plan, document) == compose(eager(plan), document)


def test_an_answer_that_is_only_moved_is_not_decoded(folder: Path) -> None:
    plan = plan_of(folder, {"calls": {"a": {"get": "u:/a"}}, "merge": {"all": "$.a.list"}})
    assert plan is not None
    alone = only(plan, plan.routes[0])
    stub = Stub.model_validate({"body": '{"list": [ 1.0,  "\\u0041" ], "other": 1}'})

    async def work() -> bytes:
        upstreams = {name: StubUpstream(name, [stub]) for name in alone.upstreams}
        response = await Services(alone, upstreams, lambda event: None)["page"](
            single_request("GET", "/page", [], b"", 0)
        )
        return response.body

    assert run_virtually(work()) == b'{"all":[ 1.0,  "\\u0041" ]}'
