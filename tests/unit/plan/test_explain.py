from typing import Any

import pytest

from proxy.plan.explain import describe_routes, explain, mermaid, routes_table

TEXT = """
version: 1
upstreams: {u: http://u}
routes:
  - name: page
    match: GET /page/{id}
    timeout: 500ms
    calls:
      user: {get: "u:/users/${params.id}"}
      orders: {get: "u:/orders?x=${user.id}", fallback: $.none_yet.x}
      none_yet: {get: "u:/n", lazy: true, fallback: []}
    merge: $.orders
  - {name: pass, match: {path: "/p/{rest:path}", host: a.b}, proxy: u}
  - {name: fixed, match: /f, reply: {}}
  - {name: gone, match: /g, redirect: /f}
"""


@pytest.fixture
def plan(plan_of: Any) -> Any:
    return plan_of(TEXT)


def test_a_route_is_explained_with_what_waits_for_what_and_why(plan: Any) -> None:
    lines = explain(plan.routes[0]).splitlines()
    assert lines[0] == "page: GET /page/{id} → compose"
    assert lines[1].endswith("within 500 ms")
    assert lines[3:] == [
        "  user: GET u:/users/${params.id} (required) starts at once",
        "  orders: GET u:/orders?x=${user.id} (optional) waits for user",
        "      user is read in $.user.id",
        "      none_yet is read by the fallback in $.none_yet.x",
        "  none_yet: GET u:/n (optional) starts when a fallback needs it",
        "",
        "  upstream requests at worst: 3",
        "  critical path: user → orders",
    ]


def test_a_pass_through_is_explained_by_its_upstream(plan: Any) -> None:
    assert explain(plan.routes[1]).splitlines()[-1] == "  upstream u"


def test_the_graph_is_drawn_with_the_expression_on_each_edge(plan: Any) -> None:
    lines = [line.strip() for line in mermaid(plan.routes[0]).splitlines()]
    assert lines[0] == "flowchart LR"
    assert 'call_user -->|"$.user.id"| call_orders' in lines
    assert 'call_none_yet -.->|"$.none_yet.x"| call_orders' in lines
    assert "request --> call_user" in lines
    assert "request --> call_none_yet" not in lines
    assert "call_orders --> answer([answer])" in lines


def test_text_of_the_file_cannot_break_a_drawing(plan: Any) -> None:
    assert "{id}" not in mermaid(plan.routes[0])
    assert "#123;id#125;" in mermaid(plan.routes[0])


def test_the_table_has_a_line_for_each_route(plan: Any) -> None:
    assert [line.split() for line in routes_table(plan).splitlines()] == [
        ["METHODS", "PATH", "NAME", "ACTION", "UPSTREAMS"],
        ["GET", "/page/{id}", "page", "compose", "u"],
        ["*", "a.b/p/{rest:path}", "pass", "proxy", "u"],
        ["*", "/f", "fixed", "reply"],
        ["*", "/g", "gone", "redirect"],
    ]


def test_routes_are_json_objects_for_machines(plan: Any) -> None:
    first = describe_routes(plan)[0]
    assert first.pop("place").endswith("routes.yaml:5")
    assert first == {
        "name": "page",
        "methods": ["GET"],
        "path": "/page/{id}",
        "host": None,
        "action": "compose",
        "upstreams": ["u"],
        "timeout_ms": 500,
        "summary": "",
    }


def test_a_fan_out_is_explained_with_its_worst_case(plan_of: Any) -> None:
    lines = explain(
        plan_of(
            "version: 1\nupstreams: {u: http://u}\nroutes:\n  - name: page\n    match: /p\n    max_items: 120\n"
            "    calls:\n"
            "      ids: {get: 'u:/ids'}\n      a: {get: 'u:/a/${each}', for_each: $.ids, fallback: null}\n"
            "      b: {get: 'u:/b', query: {id: $.batch}, batch: {from: $.ids}, key: $.id}\n"
        ).routes[0]
    ).splitlines()
    assert "(optional) for each of $.ids, at most 120 requests, 8 at once, waits for ids" in lines[4]
    assert "(required) in batches of 50 of $.ids, at most 3 requests, waits for ids" in lines[6]
    assert lines[-2] == "  upstream requests at worst: 124"


def test_a_split_and_a_mirror_are_explained_by_all_their_upstreams(plan_of: Any) -> None:
    plan = plan_of(
        "version: 1\nupstreams: {u: http://u, v: http://v, w: http://w}\n"
        "routes: [{name: a, match: /a, proxy: {split: {to: {u: 1, v: 1}}, mirror: w}}]"
    )
    assert explain(plan.routes[0]).splitlines()[-3:] == ["  upstream u", "  upstream v", "  upstream w"]
