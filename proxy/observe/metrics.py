"""Prometheus metrics. Counting is a dictionary and an addition: prometheus-client's own counters cost ten times that.

`render` makes its families of the numbers; it is slow for many routes, so keep it off the loop.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy.clock import unix_seconds
from proxy.events import (
    BreakerChanged,
    CacheFailed,
    CacheLooked,
    CallFinished,
    EndpointChanged,
    Event,
    ExtraRequest,
    LimitsUncounted,
    Mirrored,
    Reloaded,
    ReloadFailed,
    RequestFinished,
    RequestShed,
    WebSocketChanged,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_EDGES = (*(str(edge) for edge in _BUCKETS), "+Inf")
# A client chooses the method, so only known ones become a label.
_METHODS = {name: name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}

_BREAKER = {"closed": 0.0, "half_open": 1.0, "open": 2.0}

Labels = tuple[str, ...]
Counts = dict[Labels, float]
Kept = tuple[int, int, int]
"""Bytes, entries and evictions of what is kept."""


class Histogram:
    """How many observations fell into each bucket, and their sum."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * len(_EDGES)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(_BUCKETS, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """For each edge, how many observations are at most it."""
        total, buckets = 0, []
        for edge, count in zip(_EDGES, self.counts, strict=True):
            total += count
            buckets.append((edge, float(total)))
        return buckets


def _counts() -> Counts:
    return defaultdict(float)


class Metrics(Collector):
    """Counts events. `render` gives the exposition text. `kept` tells of the cache, where there is one to tell of."""

    def __init__(self) -> None:
        # Status and error stay what they are until somebody asks for text.
        self._requests: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._seconds: defaultdict[Labels, Histogram] = defaultdict(Histogram)
        self._calls: defaultdict[tuple[str, str, str, int, str], int] = defaultdict(int)
        self._call_seconds: defaultdict[Labels, Histogram] = defaultdict(Histogram)
        self._partial = _counts()
        self._faults = _counts()
        self._misses = _counts()
        self._cache = _counts()
        self._websockets = _counts()
        self._ejections = _counts()
        self._extras = _counts()
        self._breakers: Counts = {}
        self._openings = _counts()
        self._shed = 0
        self.endpoints: Mapping[Labels, float] = {}
        """How many endpoints, by upstream and state: set by who renders, as is `tasks`."""
        self.tasks = 0
        self._mirrored = _counts()
        self._cache_failures = _counts()
        self._uncounted = _counts()
        self.kept: Callable[[], Kept] | None = None
        self._reloads: Counts = {("success",): 0.0, ("failure",): 0.0}
        self._generation = 0
        self._loaded_at = 0.0
        self._last_ok = 0
        # A look-up by type: matching costs more than the counting.
        self._counting: dict[type[Event], Callable[[Any], None]] = {
            CallFinished: self._count_call,
            RequestFinished: self._count_request,
            CacheLooked: self._count_look,
            WebSocketChanged: self._count_websocket,
            EndpointChanged: self._count_endpoint,
            ExtraRequest: self._count_extra,
            BreakerChanged: self._count_breaker,
            RequestShed: self._count_shed,
            Mirrored: self._count_mirrored,
            CacheFailed: self._count_cache_failure,
            LimitsUncounted: self._count_uncounted,
            Reloaded: self._count_reload,
            ReloadFailed: self._count_failed_reload,
        }

    def __call__(self, event: Event) -> None:
        self._counting[type(event)](event)

    def _count_call(self, event: CallFinished) -> None:
        self._calls[(event.route, event.call, event.upstream, event.status, event.error or "")] += 1
        self._call_seconds[(event.route, event.call, event.upstream)].observe(event.seconds)

    def _count_request(self, event: RequestFinished) -> None:
        request, response = event.request, event.response
        route = request.route or ""
        self._requests[(route, _METHODS.get(request.method, "other"), response.status)] += 1
        if response.status != 101:  # how long a WebSocket lives says nothing of how fast a route answers
            self._seconds[(route,)].observe(event.seconds)
        if response.partial:
            self._partial[(route,)] += 1
        if response.misses:
            self._misses[(route,)] += response.misses
        if response.faults:
            self._faults[(route,)] += response.faults

    def _count_look(self, event: CacheLooked) -> None:
        self._cache[(event.route, event.call, event.result)] += event.count

    def _count_websocket(self, event: WebSocketChanged) -> None:
        self._websockets[(event.route,)] += event.change

    def _count_endpoint(self, event: EndpointChanged) -> None:
        if event.state == "ejected":
            self._ejections[(event.upstream,)] += 1

    def _count_extra(self, event: ExtraRequest) -> None:
        self._extras[(event.upstream, event.kind, event.result)] += 1

    def _count_breaker(self, event: BreakerChanged) -> None:
        self._breakers[(event.upstream, event.endpoint)] = _BREAKER[event.state]
        if event.state == "open":
            self._openings[(event.upstream, event.endpoint)] += 1

    def _count_shed(self, event: RequestShed) -> None:
        self._shed += 1

    def _count_mirrored(self, event: Mirrored) -> None:
        self._mirrored[(event.route, event.upstream, event.result)] += 1

    def _count_cache_failure(self, event: CacheFailed) -> None:
        self._cache_failures[(event.operation, event.reason)] += 1

    def _count_uncounted(self, event: LimitsUncounted) -> None:
        self._uncounted[(event.route, event.reason)] += 1

    def _count_reload(self, event: Reloaded) -> None:
        self._reloads[("success",)] += 1
        self._generation = event.generation
        self._loaded_at = unix_seconds()
        self._last_ok = 1

    def _count_failed_reload(self, event: ReloadFailed) -> None:
        self._reloads[("failure",)] += 1
        self._last_ok = 0

    def collect(self) -> Iterable[Metric]:
        """The families, as prometheus-client wants them. May run in another thread than the counting."""
        yield _counter(
            "proxy_requests", "Requests answered, by route, method and status.", ("route", "method", "status"),
            {(route, method, str(status)): n for (route, method, status), n in self._requests.copy().items()},
        )  # fmt: skip
        yield _histogram(
            "proxy_request_seconds", "Time from a request's headers to its answer.", ("route",), self._seconds.copy()
        )
        yield _counter(
            "proxy_partial_answers", "Answers in which a call took its fallback.", ("route",), self._partial.copy()
        )
        yield _counter(
            "proxy_calls", "Calls to upstreams; status 0 is no answer.",
            ("route", "call", "upstream", "status", "error"),
            {(a, b, c, str(status), error): n for (a, b, c, status, error), n in self._calls.copy().items()},
        )  # fmt: skip
        yield _histogram(
            "proxy_call_seconds", "Time of a call to an upstream.", ("route", "call", "upstream"),
            self._call_seconds.copy(),
        )  # fmt: skip
        yield from self._collect_rest()

    def _collect_rest(self) -> Iterator[Metric]:
        yield _counter("proxy_config_reloads", "Attempts to load the configuration.", ("result",), self._reloads.copy())
        yield GaugeMetricFamily("proxy_config_generation", "The generation that serves.", self._generation)
        yield GaugeMetricFamily(
            "proxy_config_last_reload_success_timestamp_seconds",
            "When the serving configuration was loaded.",
            self._loaded_at,
        )
        yield GaugeMetricFamily(
            "proxy_config_last_reload_successful", "1 if the last attempt to load was taken.", self._last_ok
        )
        yield _counter(
            "proxy_expression_faults", "Expressions in merge that failed and gave null.", ("route",),
            self._faults.copy(),
        )  # fmt: skip
        yield _counter(
            "proxy_lookup_misses", "Keys that $lookup or $join did not find; types count.", ("route",),
            self._misses.copy(),
        )  # fmt: skip
        yield _counter(
            "proxy_cache_lookups", "Kept answers that were looked for, by result; of whole routes the call is empty.",
            ("route", "call", "result"), self._cache.copy(),
        )  # fmt: skip
        yield _counter(
            "proxy_cache_failures", "What was to be done in server.cache_store and could not be.",
            ("operation", "reason"), self._cache_failures.copy(),
        )  # fmt: skip
        yield _counter(
            "proxy_limits_uncounted", "Requests that server.limit_store could not count.",
            ("route", "reason"), self._uncounted.copy(),
        )  # fmt: skip
        if self.kept is not None:
            size, entries, evictions = self.kept()
            yield GaugeMetricFamily("proxy_cache_bytes", "What kept answers take of this process's memory.", size)
            yield GaugeMetricFamily("proxy_cache_entries", "Kept answers in this process's memory.", entries)
            yield _counter(
                "proxy_cache_evictions", "Answers that made room for others before their time.", (), {(): evictions}
            )
        yield from self._collect_upstreams()

    def _collect_upstreams(self) -> Iterator[Metric]:
        yield _counter(
            "proxy_mirrored_requests", "Copies of requests: sent and answered, failed, or skipped.",
            ("route", "upstream", "result"), self._mirrored.copy(),
        )  # fmt: skip
        websockets = GaugeMetricFamily("proxy_websockets_open", "WebSockets that are open.", labels=("route",))
        for route, count in self._websockets.copy().items():
            websockets.add_metric(route, count)
        yield websockets
        yield _counter(
            "proxy_upstream_ejections", "Times that an endpoint was ejected.", ("upstream",), self._ejections.copy()
        )
        yield _counter(
            "proxy_upstream_extra_requests", "Retries and hedges: sent, denied by the budget, or a hedge that won.",
            ("upstream", "kind", "result"), self._extras.copy(),
        )  # fmt: skip
        yield _counter(
            "proxy_upstream_breaker_openings", "Times that a breaker opened; no endpoint: that of the upstream.",
            ("upstream", "endpoint"), self._openings.copy(),
        )  # fmt: skip
        yield _counter("proxy_requests_shed", "Requests refused because the process was late.", (), {(): self._shed})
        breakers = GaugeMetricFamily(
            "proxy_upstream_breaker_state", "0 closed, 1 half open, 2 open.", labels=("upstream", "endpoint")
        )
        for labels, state in self._breakers.copy().items():
            breakers.add_metric(labels, state)
        yield breakers
        yield GaugeMetricFamily("proxy_tasks", "Tasks of asyncio in this process.", self.tasks)
        states = GaugeMetricFamily("proxy_upstream_endpoints", "Endpoints by state.", labels=("upstream", "state"))
        for labels, count in self.endpoints.items():
            states.add_metric(labels, count)
        yield states

    def render(self) -> bytes:
        """All metrics in Prometheus text."""
        return generate_latest(self)


def _counter(name: str, text: str, labels: Labels, counts: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _histogram(name: str, text: str, labels: Labels, histograms: Mapping[Labels, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, histogram in histograms.items():
        family.add_metric(values, histogram.cumulative(), histogram.sum)
    return family
