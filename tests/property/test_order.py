"""The same configuration and the same answers give the same bytes, whatever order the upstreams answer in."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.config.route_tests import Stub
from proxy.loading import load
from proxy.plan.nodes import Plan
from proxy.server.actions import Services
from proxy.testing.requests import single_request
from proxy.testing.stubs import StubUpstream, only
from proxy.testing.virtual import run_virtually

TEXT = """
version: 1
upstreams: {u: http://u}
routes:
  - name: page
    match: /page
    errors: {field: _errors}
    calls:
      a: {get: "u:/a"}
      b: {get: "u:/b", fallback: none}
      single: {get: "u:/each/${each}", for_each: $.a.ids, concurrency: 3, fallback: {id: 0}}
      chunks: {get: "u:/batch", query: {id: $.batch}, batch: {from: $.a.ids, size: 2}, key: $.id, fallback: []}
      c: {get: "u:/c", query: {n: $.b}, fallback: $.lazy}
      lazy: {get: "u:/lazy", lazy: true, fallback: 0}
    merge:
      a: $.a
      b: $.b
      single: $.single
      chunks: $.chunks
      c: $.c
      found: {$each: $.a.ids, value: {$lookup: chunks, key: $.item}}
      status: $.calls.c.status
"""
DELAYS = st.integers(0, 5)
STATUSES = st.sampled_from([200, 200, 200, 503])


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    path: Path = tmp_path_factory.mktemp("order") / "routes.yaml"
    path.write_text(TEXT)
    made = load(str(path), {}).plan
    assert made is not None
    return made


def compose(plan: Plan, statuses: dict[str, int], delays: dict[str, list[int]]) -> tuple[bytes, str | None]:
    alone = only(plan, plan.routes[0])
    bodies: dict[str, Any] = {"a": {"ids": [4, 2, 4, 3, 1]}, "chunks": [{"id": number} for number in (1, 3, 4, 9)]}

    def stubs(name: str) -> list[Stub]:
        status = 200 if name == "a" else statuses[name]
        body = bodies.get(name, {"from": name})
        return [
            Stub.model_validate({"json": body, "status": status, **({"delay": f"{delay}s"} if delay else {})})
            for delay in delays[name]
        ]

    upstreams = {name: StubUpstream(name, stubs(name)) for name in alone.upstreams}

    async def work() -> tuple[bytes, str | None]:
        request = single_request("GET", "/page", [], b"", 0.0)
        response = await Services(alone, upstreams, lambda event: None)["page"](request)
        return response.body, response.headers.get("X-Partial")

    result: tuple[bytes, str | None] = run_virtually(work())
    return result


NAMES = ("a", "b", "single", "chunks", "c", "lazy")
ORDERS = st.fixed_dictionaries({name: st.lists(DELAYS, min_size=4, max_size=4) for name in NAMES})


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries(dict.fromkeys(NAMES, STATUSES)), ORDERS, ORDERS)
def test_the_order_of_answers_changes_nothing(
    plan: Plan, statuses: dict[str, int], one: dict[str, list[int]], other: dict[str, list[int]]
) -> None:
    assert compose(plan, statuses, one) == compose(plan, statuses, other)
