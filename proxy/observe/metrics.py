"""Prometheus metrics, in a registry of their own. Label children are kept: looking one up costs more than counting."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from proxy.clock import unix_seconds
from proxy.events import CallFinished, Event, Reloaded, ReloadFailed, RequestFinished

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# A client chooses the method, so only known ones become a label.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Counts events. `render` gives the exposition text; it is slow for many routes, so keep it off the loop."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "proxy_requests",
            "Requests answered, by route, method and status.",
            ("route", "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "proxy_request_seconds",
            "Time from a request's headers to its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._partial = Counter(
            "proxy_partial_answers", "Answers in which a call took its fallback.", ("route",), registry=registry
        )
        self._calls = Counter(
            "proxy_calls",
            "Calls to upstreams; status 0 is no answer.",
            ("route", "call", "upstream", "status", "error"),
            registry=registry,
        )
        self._call_seconds = Histogram(
            "proxy_call_seconds",
            "Time of a call to an upstream.",
            ("route", "call", "upstream"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._reloads = Counter(
            "proxy_config_reloads", "Attempts to load the configuration.", ("result",), registry=registry
        )
        self._generation = Gauge("proxy_config_generation", "The generation that serves.", registry=registry)
        self._last = Gauge(
            "proxy_config_last_reload_success_timestamp_seconds",
            "When the serving configuration was loaded.",
            registry=registry,
        )
        self._last_ok = Gauge(
            "proxy_config_last_reload_successful", "1 if the last attempt to load was taken.", registry=registry
        )
        self._faults = Counter(
            "proxy_expression_faults", "Expressions in merge that failed and gave null.", ("route",), registry=registry
        )
        self._misses = Counter(
            "proxy_lookup_misses",
            "Keys that $lookup or $join did not find; types count.",
            ("route",),
            registry=registry,
        )
        for result in ("success", "failure"):
            self._reloads.labels(result)
        self._request_child = cache(self._requests.labels)
        self._seconds_child = cache(self._seconds.labels)
        self._call_child = cache(self._calls.labels)
        self._call_seconds_child = cache(self._call_seconds.labels)

    def __call__(self, event: Event) -> None:
        match event:
            case RequestFinished(request, response, seconds):
                route = request.route or ""
                method = request.method if request.method in _METHODS else "other"
                self._request_child(route, method, str(response.status)).inc()
                self._seconds_child(route).observe(seconds)
                if response.partial:
                    self._partial.labels(route).inc()
                if response.misses:
                    self._misses.labels(route).inc(response.misses)
                if response.faults:
                    self._faults.labels(route).inc(response.faults)
            case CallFinished(route, call, upstream, status, seconds, error):
                self._call_child(route, call, upstream, str(status), error or "").inc()
                self._call_seconds_child(route, call, upstream).observe(seconds)
            case Reloaded(generation):
                self._reloads.labels("success").inc()
                self._generation.set(generation)
                self._last.set(unix_seconds())
                self._last_ok.set(1)
            case ReloadFailed():
                self._reloads.labels("failure").inc()
                self._last_ok.set(0)

    def render(self) -> bytes:
        """All metrics in Prometheus text."""
        return generate_latest(self._registry)
