from typing import Any

import pytest

from proxy.events import CacheFailed, CacheLooked, CallFinished, Mirrored, Reloaded, ReloadFailed
from proxy.message import Response
from proxy.observe.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def lines(metrics: Metrics) -> list[str]:
    return metrics.render().decode().splitlines()


def test_requests_are_counted_by_route_method_and_status(metrics: Metrics, finished: Any) -> None:
    metrics(finished())
    metrics(finished())
    metrics(finished(Response(502), route=None, method="BREW\n"))
    assert 'proxy_requests_total{method="GET",route="page",status="200"} 2.0' in lines(metrics)
    assert 'proxy_requests_total{method="other",route="",status="502"} 1.0' in lines(metrics)
    assert 'proxy_request_seconds_count{route="page"} 2.0' in lines(metrics)


def test_partial_answers_and_expression_faults_are_counted(metrics: Metrics, finished: Any) -> None:
    metrics(finished(Response(200, partial=("a",), faults=3)))
    assert 'proxy_partial_answers_total{route="page"} 1.0' in lines(metrics)
    assert 'proxy_expression_faults_total{route="page"} 3.0' in lines(metrics)


def test_copies_of_requests_are_counted_by_what_became_of_them(metrics: Metrics) -> None:
    metrics(Mirrored("page", "v2", "sent"))
    metrics(Mirrored("page", "v2", "skipped"))
    metrics(Mirrored("page", "v2", "skipped"))
    assert 'proxy_mirrored_requests_total{result="sent",route="page",upstream="v2"} 1.0' in lines(metrics)
    assert 'proxy_mirrored_requests_total{result="skipped",route="page",upstream="v2"} 2.0' in lines(metrics)


def test_calls_are_counted_with_their_errors_and_times(metrics: Metrics) -> None:
    metrics(CallFinished("page", "user", "users", 0, 0.02, "upstream_timeout"))
    assert (
        'proxy_calls_total{call="user",error="upstream_timeout",route="page",status="0",upstream="users"} 1.0'
        in lines(metrics)
    )
    assert 'proxy_call_seconds_bucket{call="user",le="0.025",route="page",upstream="users"} 1.0' in lines(metrics)
    assert 'proxy_call_seconds_bucket{call="user",le="0.01",route="page",upstream="users"} 0.0' in lines(metrics)


def test_reloads_and_the_generation_are_told(metrics: Metrics) -> None:
    metrics(Reloaded(7, "start", 0.1))
    metrics(ReloadFailed("edit", ("x",)))
    assert "proxy_config_generation 7.0" in lines(metrics)
    assert 'proxy_config_reloads_total{result="success"} 1.0' in lines(metrics)
    assert 'proxy_config_reloads_total{result="failure"} 1.0' in lines(metrics)
    assert "proxy_config_last_reload_successful 0.0" in lines(metrics)


def test_reload_results_are_there_before_the_first_so_that_rates_can_be_computed(metrics: Metrics) -> None:
    assert 'proxy_config_reloads_total{result="failure"} 0.0' in lines(metrics)


def test_misses_are_counted(metrics: Metrics, finished: Any) -> None:
    metrics(finished(Response(200, misses=2)))
    assert 'proxy_lookup_misses_total{route="page"} 2.0' in lines(metrics)


def test_a_load_that_succeeds_clears_a_failure_and_says_when(metrics: Metrics) -> None:
    metrics(ReloadFailed("edit", ("x",)))
    metrics(Reloaded(2, "edit", 0.1))
    assert "proxy_config_last_reload_successful 1.0" in lines(metrics)
    (last,) = (line for line in lines(metrics) if line.startswith("proxy_config_last_reload_success_timestamp"))
    assert float(last.split()[1]) > 1_700_000_000


def test_counts_of_two_gateways_are_apart(finished: Any) -> None:
    one, other = Metrics(), Metrics()
    one(finished())
    assert any(line.startswith("proxy_requests_total{") for line in lines(one))
    assert not any(line.startswith("proxy_requests_total{") for line in lines(other))


def test_what_the_cache_does_and_holds_is_told(metrics: Metrics) -> None:
    assert not any(line.startswith("proxy_cache_bytes") for line in lines(metrics))
    metrics.kept = lambda: (1024, 3, 2)
    metrics(CacheLooked("page", "", "hit", 1))
    metrics(CacheFailed("find", "timeout"))
    assert 'proxy_cache_lookups_total{call="",result="hit",route="page"} 1.0' in lines(metrics)
    assert 'proxy_cache_failures_total{operation="find",reason="timeout"} 1.0' in lines(metrics)
    assert {"proxy_cache_bytes 1024.0", "proxy_cache_entries 3.0", "proxy_cache_evictions_total 2.0"} <= set(
        lines(metrics)
    )
