from pathlib import Path
from typing import Any

from proxy.loading import load
from proxy.plan.nodes import Plan
from proxy.security.limiters import Limiters
from proxy.security.ratelimit import Counts


def plan(tmp_path: Path, rate: str, store: str = "memory") -> Plan:
    (tmp_path / "routes.yaml").write_text(
        f"version: 1\nserver: {{limit_store: '{store}'}}\n"
        f"routes: [{{name: r, match: GET /, rate_limit: {rate}, concurrency: 3, reply: {{}}}}]\n"
    )
    found = load(str(tmp_path / "routes.yaml"), {}).plan
    assert found is not None
    return found


def test_what_is_counted_stays_for_limits_that_stay(tmp_path: Path) -> None:
    limiters, first = Limiters(lambda event: None), plan(tmp_path, "5/1m")
    limiters.take(first)
    (limit,), concurrency = first.routes[0].rate_limits, first.routes[0].concurrency
    assert concurrency is not None
    counts = limiters.counts[limit] = Counts()
    limiters.places[concurrency] = {"": 1}
    limiters.take(plan(tmp_path, "5/1m"))
    assert limiters.counts == {limit: counts}
    assert limiters.places == {concurrency: {"": 1}}
    limiters.take(plan(tmp_path, "6/1m"))
    assert limiters.counts == {}


async def test_the_store_is_another_when_the_configuration_says_so(tmp_path: Path) -> None:
    limiters = Limiters(lambda event: None)
    assert limiters.take(plan(tmp_path, "5/1m")) is None
    assert limiters.shared is None
    assert limiters.take(plan(tmp_path, "5/1m", "redis://127.0.0.1:1")) is None
    first: Any = limiters.shared
    assert limiters.take(plan(tmp_path, "6/1m", "redis://127.0.0.1:1")) is None
    assert limiters.shared is first
    assert limiters.take(plan(tmp_path, "6/1m")) is first
    assert limiters.shared is None
    await limiters.close()
    await first.close()
